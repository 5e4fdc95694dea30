"""The `tidemark` program: each command a thin call of what stands in consumer.commands.

Exit codes: 0 all well, 1 it failed, 2 a setting or an argument that a person has to put right, 130 Ctrl-C.
Each command imports what it needs when it is called, so that `tidemark --help` is there at once.
"""

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from consumer.errors import SettingsError, TidemarkError

app = typer.Typer(
    help="Keeps read models and other systems true to a DynamoDB table, from its change data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SETTINGS_FILE = "tidemark.yaml"
INTERRUPTED = 130
LAST_PORT = 65535


def main() -> None:
    """Run the program; a mistake of the user's is told in a sentence, never by a traceback."""
    try:
        app(prog_name="tidemark")
    except SettingsError as error:
        _fail(str(error), 2)
    except TidemarkError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _fail(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.exit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tidemark {version('tidemark')}")
        raise typer.Exit


@app.callback()
def tidemark(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Keeps read models and other systems true to a DynamoDB table, from its change data."""


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file.")] = Path(SETTINGS_FILE),
    worker_id: Annotated[
        str | None, typer.Option(help="This worker's name; it must be stable.", show_default="the host name")
    ] = None,
    ops_host: Annotated[str, typer.Option(help="Where /metrics, /status and the probes listen.")] = "0.0.0.0",  # noqa: S104 - probes come to the pod's own address
    ops_port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="Their port; 0: any that is free.")
    ] = 8080,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where the service's own files go.", show_default="a temporary directory"),
    ] = None,
    until_stdin_closes: Annotated[
        bool, typer.Option("--until-stdin-closes", help="Stop when standard input ends.", hidden=True)
    ] = False,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    from consumer.settings.load import locate_settings

    located = locate_settings(config)  # before the imports below: a mistake in the file is told at once

    import asyncio

    from consumer.commands.run import run as run_service
    from consumer.commands.tether import stop_when_stdin_closes

    if until_stdin_closes:
        stop_when_stdin_closes()
    worker = worker_id or socket.gethostname()
    with located.telling():
        code = asyncio.run(run_service(located.settings, worker, ops_host, ops_port, run_dir))
    raise typer.Exit(code)


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The settings file.")] = Path(SETTINGS_FILE),
    aws: Annotated[bool, typer.Option("--aws", help="Look at the stream and the tables in AWS too.")] = False,
) -> None:
    """Check a settings file.

    All mistakes are told at once, each with its line and what is allowed.
    """
    from consumer.commands.validate import validate as check

    for line in check(file, look_at_aws=aws):
        typer.echo(line)


@app.command()
def schema() -> None:
    """Print the settings file's JSON Schema."""
    from consumer.commands.schema import settings_schema

    typer.echo(settings_schema())


@app.command()
def redrive(
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file.")] = Path(SETTINGS_FILE),
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="An SQS queue's URL, sqs://QUEUE, s3://BUCKET/PREFIX, or a file.",
            show_default="where the settings send dead letters",
        ),
    ] = None,
    processor: Annotated[
        str | None, typer.Option(help="Only this processor's letters.", show_default="all")
    ] = None,
    out_of_order: Annotated[
        bool, typer.Option("--out-of-order", help="Send events too, later than their items' other changes.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most letters to take.", show_default="all")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at the letters and change nothing.")
    ] = False,
) -> None:
    """Put dead letters through their processors again; each is removed once it is settled.

    Exit code 0: all settled; 1: some stayed, and why, or it was cut short.
    """
    import asyncio

    from consumer.commands.redrive.command import Options
    from consumer.commands.redrive.command import redrive as redrive_letters

    options = Options(config, place, processor, out_of_order, limit, dry_run)
    raise typer.Exit(asyncio.run(redrive_letters(options, typer.echo)))


@app.command()
def rebuild(
    processor: Annotated[str, typer.Option(help="The processor whose read model is built anew.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file.")] = Path(SETTINGS_FILE),
    into: Annotated[
        str | None,
        typer.Option(help="The new table or index.", show_default="the settings' own, and -rebuild"),
    ] = None,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Read the source table too, for what is older than the stream.")
    ] = False,
    worker_id: Annotated[
        str | None, typer.Option(help="This worker's name; it must be stable.", show_default="the host name")
    ] = None,
    ops_port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="Of /metrics and /status, on 127.0.0.1; 0: any.")
    ] = 0,
    run_dir: Annotated[
        Path | None,
        typer.Option(help="Where the rebuild's own files go.", show_default="a temporary directory"),
    ] = None,
    until_stdin_closes: Annotated[
        bool, typer.Option("--until-stdin-closes", help="Stop when standard input ends.", hidden=True)
    ] = False,
) -> None:
    """Build a read model anew beside the live one, from the start of the stream.

    It follows the stream until `tidemark cutover`, and then ends; stopped before, it goes on where it was.
    """
    import asyncio

    from rich.console import Console

    from consumer.commands.rebuild.command import Options
    from consumer.commands.rebuild.command import rebuild as rebuild_model
    from consumer.commands.tether import stop_when_stdin_closes

    if until_stdin_closes:
        stop_when_stdin_closes()
    worker = worker_id or socket.gethostname()
    options = Options(config, processor, into, backfill, worker, ops_port, run_dir)
    raise typer.Exit(asyncio.run(rebuild_model(options, Console(stderr=True), typer.echo)))


@app.command()
def cutover(
    processor: Annotated[str, typer.Option(help="The processor whose read model was built anew.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings file.")] = Path(SETTINGS_FILE),
    into: Annotated[
        str | None, typer.Option(help="The new table or index.", show_default="as for `tidemark rebuild`")
    ] = None,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="Though the new model lacks rows, or can't be compared.")
    ] = False,
) -> None:
    """Let readers and the live processor go over to the model that `tidemark rebuild` has made.

    The processor stands still for some seconds. Ctrl-C takes that back; after a crash, run it again.
    """
    import asyncio

    from rich.console import Console

    from consumer.commands.cutover.command import Options
    from consumer.commands.cutover.command import cutover as cut_over

    options = Options(config, processor, into, allow_missing)
    raise typer.Exit(asyncio.run(cut_over(options, Console(stderr=True), typer.echo)))


@app.command("filter")
def filter_(
    pattern: Annotated[
        Path, typer.Option(help="A file with a pattern, or a list of them, as JSON or (.yaml, .yml) YAML.")
    ],
) -> None:
    """Print the events that match a pattern.

    Events are read from standard input, one JSON object a line; those that match are printed as they came.
    """
    from consumer.commands.filter import filter_events, load_filter

    chosen = load_filter(pattern)
    if sys.stdin is None or sys.stdout is None:
        raise SettingsError("standard input or output is closed: events are read from the one to the other")
    are_events = filter_events(
        chosen, sys.stdin.buffer, sys.stdout.buffer, lambda text: typer.echo(text, err=True)
    )
    raise typer.Exit(0 if are_events else 1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=LAST_PORT, help="0: any that is free.")] = 4566,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
) -> None:
    """Serve AWS on this machine, to try things out.

    Kinesis, DynamoDB with its streams, SQS, SNS, S3 and EventBridge; nothing leaves the machine.
    """
    from consumer.commands.sandbox import serve

    serve(host, port, typer.echo)


@app.command()
def demo(
    duration: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds of writing.", show_default="until Ctrl-C"),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="Orders written a second.")] = 200,
    shards: Annotated[int, typer.Option(min=1, max=32, help="Shards of the stream.")] = 2,
    report: Annotated[Path | None, typer.Option(help="A file for the figures, as JSON.")] = None,
    ops_port: Annotated[
        int, typer.Option(min=0, max=LAST_PORT, help="Port of /metrics and /status; 0: any that is free.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Which orders are written.")] = 1,
) -> None:
    """Show it at work, on a sandbox of its own.

    Orders are written, the service keeps a read model of them, and in the end both are compared item by item.
    """
    import asyncio

    from consumer.commands.demo.show import Plan, run_demo

    plan = Plan(duration=duration, rate=rate, shards=shards, report=report, ops_port=ops_port, seed=seed)
    raise typer.Exit(asyncio.run(run_demo(plan)))


if __name__ == "__main__":
    main()
