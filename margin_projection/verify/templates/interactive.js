"use strict";
const REACH = { a: [1.5, 1.5], b: [1.5, 1.5], c: [1.5, 1.5], t: [3, 3] };
const canvas = document.getElementById("plane"), pen = canvas.getContext("2d");
const choice = document.getElementById("set"), told = document.getElementById("told");
const fields = [document.getElementById("first"), document.getElementById("second")];
let dragging = false;

function toPixel(w) { const [rx, ry] = REACH[choice.value]; return [(w[0] / rx + 1) * canvas.width / 2, (1 - w[1] / ry) * canvas.height / 2]; }
function toPoint(x, y) { const [rx, ry] = REACH[choice.value]; return [(2 * x / canvas.width - 1) * rx, (1 - 2 * y / canvas.height) * ry]; }
function disc(w, radius, colour) { const [x, y] = toPixel(w); pen.fillStyle = colour; pen.beginPath(); pen.arc(x, y, radius, 0, 2 * Math.PI); pen.fill(); }
function line(u, w, colour) { pen.strokeStyle = colour; pen.lineWidth = 2; pen.beginPath(); pen.moveTo(...toPixel(u)); pen.lineTo(...toPixel(w)); pen.stroke(); }

function shade() {
  const set = SETS[choice.value], cell = 2;
  pen.fillStyle = "#ffffff"; pen.fillRect(0, 0, canvas.width, canvas.height);
  for (let x = 0; x < canvas.width; x += cell) for (let y = 0; y < canvas.height; y += cell) {
    const w = toPoint(x + cell / 2, y + cell / 2);
    if (set.value(w) >= 1) { pen.fillStyle = "#cfe3f3"; pen.fillRect(x, y, cell, cell); }
    else if (choice.value === "t" && (1 + EPS) * (w[1] ** 2 - w[0] ** 2) >= 1) { pen.fillStyle = "#f6dcc6"; pen.fillRect(x, y, cell, cell); }
  }
  line(toPoint(0, canvas.height / 2), toPoint(canvas.width, canvas.height / 2), "#999999");
  line(toPoint(canvas.width / 2, 0), toPoint(canvas.width / 2, canvas.height), "#999999");
}

function show() {
  const start = fields.map((field) => Number(field.value));
  if (!start.every(Number.isFinite)) { told.textContent = "Both coordinates must be numbers."; return; }
  shade();
  const words = (w) => `(${w[0].toFixed(4)}, ${w[1].toFixed(4)})`;
  if (choice.value === "t") {
    const points = trajectory(start, 12);
    points.slice(1).forEach((w, k) => line(points[k], w, "#0072B2"));
    points.forEach((w, k) => disc(w, k ? 4 : 7, k ? "#0072B2" : "#D55E00"));
    told.textContent = `Start ${words(start)}; after 12 projections ${words(points[12])}. C* is not in this plane.`;
  } else {
    const found = SETS[choice.value].onto(start);
    found.forEach((w) => { line(start, w, "#0072B2"); disc(w, 5, "#0072B2"); });
    disc(start, 7, "#D55E00");
    const distance = Math.hypot(found[0][0] - start[0], found[0][1] - start[1]);
    told.textContent = `Start ${words(start)}; ${found.length} nearest point${found.length > 1 ? "s" : ""}: ${found.map(words).join(" and ")}; distance ${distance.toFixed(6)}.`;
  }
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  const w = toPoint((event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height);
  fields.forEach((field, i) => { field.value = w[i].toFixed(3); });
  show();
}

canvas.addEventListener("pointerdown", (event) => { dragging = true; canvas.setPointerCapture(event.pointerId); place(event); });
canvas.addEventListener("pointermove", (event) => { if (dragging) place(event); });
canvas.addEventListener("pointerup", () => { dragging = false; });
canvas.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
  if (!move) return;
  event.preventDefault();
  fields.forEach((field, i) => { field.value = (Number(field.value) + move[i]).toFixed(3); });
  show();
});
choice.addEventListener("change", show);
fields.forEach((field) => field.addEventListener("input", show));
show();
