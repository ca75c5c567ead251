"""The application, and the one place where errors become a line on stderr and an exit status."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from margin_projection._validation import InputError
from margin_projection.cli.commands.bridge import bridge
from margin_projection.cli.commands.diagnose import diagnose
from margin_projection.cli.commands.example import example
from margin_projection.cli.commands.plasticity import app as plasticity
from margin_projection.cli.commands.project import project
from margin_projection.cli.commands.spectrum import spectrum
from margin_projection.cli.commands.sweep import sweep
from margin_projection.cli.commands.trajectory import trajectory
from margin_projection.cli.errors import BAD_INPUT, FAILED, INTERRUPTED, SUCCESS, BadInput, Interrupted, one_line
from margin_projection.cli.output import write_stdout

# ClickException, wherever the installed version of typer keeps it.
_USAGE_ERRORS: type[Exception] = typer.BadParameter.__mro__[2]


class Commands(TyperGroup):
    """The command group; without arguments it shows its help."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> Any:
        """Run a command, then leave with its exit status."""
        arguments = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            sys.exit(guarded(lambda: super(Commands, self).main(arguments, *others, **extra)))

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand; an interrupt ends it with a line of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted") from error


def guarded(run: Any) -> int:
    """The exit status of ``run()``, its foreseen failures told on stderr in one line."""
    try:
        status = run()
    except _USAGE_ERRORS as error:
        return _report(f"error: {error.format_message()}", BAD_INPUT)  # type: ignore[attr-defined]
    except (BadInput, InputError) as error:
        return _report(f"error: {error}", BAD_INPUT)
    except MemoryError as error:
        return _report(f"error: out of memory {error}", BAD_INPUT)
    except (FloatingPointError, OverflowError, ZeroDivisionError) as error:
        return _report(f"error: numbers leave the range of float64 ({error}): scale the start or the data", BAD_INPUT)
    except ArithmeticError as error:
        return _report(f"error: a search contradicts a bound that is proved, please report it: {error}", FAILED)
    except Interrupted as error:
        return _report(str(error), INTERRUPTED)
    return int(status or SUCCESS)


def _report(message: str, status: int) -> int:
    if sys.stderr is not None:
        sys.stderr.write(one_line(message) + "\n")
        sys.stderr.flush()
    return status


def _show_version(wanted: bool) -> None:
    if wanted:
        import margin_projection

        write_stdout(f"margin-projection {margin_projection.__version__}\n")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    name="margin-projection",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _application(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Certified projections onto the margin sets of homogeneous networks, sequences of them, and diagnoses.

    Exit status: 0 done, 1 a projection failed (its results are still written) or a search contradicts
    a proof, 2 bad input, 130 interrupted.
    """


app.command()(project)
app.command()(trajectory)
app.command()(diagnose)
app.command()(spectrum)
app.command()(bridge)
app.command()(sweep)
app.command()(example)
app.add_typer(plasticity, name="plasticity")


def main() -> None:
    """The entry point of ``margin-projection``."""
    app()


if __name__ == "__main__":
    main()
