"""What a query does, for people."""

from gammapolars.commands.query.queries import Query


def query_help(query: Query) -> str:
    """What a query does, and its parameters."""
    lines = [f"{query.name} ({query.path})", "", query.description, ""]
    for parameter in query.parameters:
        default = "needed" if parameter.required else f"default {parameter.default!r}"
        lines.append(f"  --{parameter.name.replace('_', '-')} {parameter.type.__name__.upper()}  ({default})")
    if query.takes_pairs:
        lines.append("  takes the run's pairs: --window, --reject and --detectors apply")
    return "\n".join(lines).rstrip()
