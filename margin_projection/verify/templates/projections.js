// Exact projections onto the planar sets of Figure 1 and of Theorem 5's slice. Every function returns all minimizers.
"use strict";
const TIE = 1e-10;

function nearest(point, candidates) {
  const squares = candidates.map((c) => (c[0] - point[0]) ** 2 + (c[1] - point[1]) ** 2);
  const least = Math.min(...squares);
  const kept = candidates.filter((c, i) => squares[i] <= least + TIE);
  return kept.filter((c, i) => kept.findIndex((d) => Math.hypot(c[0] - d[0], c[1] - d[1]) < 1e-9) === i);
}

// {<a_i, w> >= 1}: the point, its projections on the lines, the vertices; the nearest feasible one.
function ontoPolyhedron(point, rows) {
  const feasible = (w) => rows.every((a) => a[0] * w[0] + a[1] * w[1] >= 1 - 1e-12);
  if (feasible(point)) return [point];
  const candidates = rows.map((a) => {
    const step = (1 - a[0] * point[0] - a[1] * point[1]) / (a[0] ** 2 + a[1] ** 2);
    return [point[0] + step * a[0], point[1] + step * a[1]];
  });
  rows.forEach((a, i) => rows.slice(i + 1).forEach((c) => {
    const determinant = a[0] * c[1] - a[1] * c[0];
    if (determinant !== 0) candidates.push([(c[1] - a[1]) / determinant, (a[0] - c[0]) / determinant]);
  }));
  return nearest(point, candidates.filter(feasible));
}

// {[2 w_1]_+ + [2 w_2]_+ >= 1}: a segment and two rays bound it.
function ontoRectifiers(point) {
  const [x, y] = point;
  if (Math.max(2 * x, 0) + Math.max(2 * y, 0) >= 1 - 1e-12) return [point];
  const t = Math.min(Math.max((x - y + 0.5) , 0), 1); // along (0, 1/2) -> (1/2, 0)
  const segment = [0.5 * t, 0.5 * (1 - t)];
  return nearest(point, [[0.5, Math.min(y, 0)], [Math.min(x, 0), 0.5], segment]);
}

// {p^2 - q^2 >= level}: p / (1 - m), q / (1 + m) with m in (0, 1) by bisection; two minimizers on the axis p = 0.
function ontoHyperbola(p, q, level) {
  if (p * p - q * q >= level - 1e-12) return [[p, q]];
  if (p === 0) {
    const far = Math.sqrt(level + q * q / 4);
    return [[far, q / 2], [-far, q / 2]];
  }
  let low = 0, high = 1;
  for (let i = 0; i < 200; i += 1) {
    const m = (low + high) / 2;
    if ((p / (1 - m)) ** 2 - (q / (1 + m)) ** 2 > level) high = m; else low = m;
  }
  const m = (low + high) / 2;
  return [[p / (1 - m), q / (1 + m)]];
}

const EPS = 0.005;
const SETS = {
  a: { name: "Figure 1a: linear", value: (w) => Math.min(5 * w[0] - w[1], 2 * w[0] + 2 * w[1]), onto: (w) => ontoPolyhedron(w, [[5, -1], [2, 2]]) },
  b: { name: "Figure 1b: [w1 x]+ + [w2 x]+", value: (w) => Math.max(2 * w[0], 0) + Math.max(2 * w[1], 0), onto: ontoRectifiers },
  c: { name: "Figure 1c: w1^2 x - w2^2 x", value: (w) => 2 * (w[0] ** 2 - w[1] ** 2), onto: (w) => ontoHyperbola(w[0], w[1], 0.5) },
  t: { name: "Theorem 5, the plane u[1] = v[1] = 0: (u[2], v[2])", value: (w) => (1 - EPS) * (w[0] ** 2 - w[1] ** 2), onto: (w) => ontoHyperbola(w[0], w[1], 1 / (1 - EPS)) },
};

// Theorem 5: alternate between the two tasks, the first minimizer where there are two.
function trajectory(start, steps) {
  const points = [start];
  for (let k = 0; k < steps; k += 1) {
    const [y, z] = points[k];
    if (k % 2 === 0) points.push(ontoHyperbola(y, z, 1 / (1 - EPS))[0]);
    else { const [z2, y2] = ontoHyperbola(z, y, 1 / (1 + EPS))[0]; points.push([y2, z2]); }
  }
  return points;
}
