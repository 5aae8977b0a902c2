"""`python -m outreach assets`: what the pages and the letters are made with, from npm by the lock file.

USWDS and htmx go to outreach/web/static/vendor/, the fonts of letters to outreach/notices/letters/fonts/. Only what is
used is copied (38 megabytes of the 230 that npm brings), and nothing of it is committed. Where there is no npm, Node.js comes
as a wheel into the environment that runs this.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "outreach" / "web" / "static" / "vendor"
FONTS = ROOT / "outreach" / "notices" / "letters" / "fonts"

# npm 7 (2020) is the first to read our lock file.
OLDEST_NPM = 7

FILES = {
    "@uswds/uswds/dist/css/uswds.min.css": "uswds/css/uswds.min.css",
    "@uswds/uswds/dist/js/uswds.min.js": "uswds/js/uswds.min.js",
    "@uswds/uswds/dist/js/uswds-init.min.js": "uswds/js/uswds-init.min.js",
    "@uswds/uswds/dist/img/sprite.svg": "uswds/img/sprite.svg",
    "@uswds/uswds/dist/img/us_flag_small.png": "uswds/img/us_flag_small.png",
    "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
}
WEIGHTS = ("400Regular", "700Bold")


@click.command()
def command() -> None:
    """Fetch the web assets (USWDS, htmx) and the fonts of letters, and copy what is used of them."""
    click.echo("Fetching the web assets and the fonts with npm")
    install(find_npm())
    click.echo(f"Copied {copy()} files to {VENDOR.relative_to(ROOT)}")
    click.echo(f"Copied {copy_fonts()} files to {FONTS.relative_to(ROOT)}")


def find_npm() -> list[str]:
    """The command that runs npm: the machine's own, else the one of the nodejs wheel, which is installed if need be."""
    own = shutil.which("npm")
    if own and shutil.which("node") and _major(own) >= OLDEST_NPM:
        return [own]
    wheel = Path(sys.executable).parent / "npm"
    if not wheel.exists():
        click.echo("No npm here: installing Node.js from a wheel (requirements-node.txt) into the environment")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        _run([*pip, "-r", str(ROOT / "requirements-node.txt")])
    return [str(wheel)]


def install(npm: list[str]) -> None:
    """Fill node_modules/ with exactly what package-lock.json says; no package may run a script of its own."""
    path = f"{Path(npm[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    _run(
        [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        env={**os.environ, "PATH": path},
    )


def copy() -> int:
    """Replace the vendor folder; returns how many files are in it now."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    modules = ROOT / "node_modules"
    wanted = {modules / source: VENDOR / target for source, target in FILES.items()}
    styles = modules / "@uswds/uswds/dist/css/uswds.min.css"
    for reference in set(re.findall(r"url\(\"?([^)\"#?]+)", styles.read_text(encoding="utf-8"))):
        if not reference.startswith("data:"):
            source = (styles.parent / reference).resolve()
            wanted[source] = VENDOR / "uswds" / source.relative_to(styles.parents[1].resolve())
    for source, target in wanted.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return len(wanted)


def copy_fonts() -> int:
    """Bring the folder of fonts up to date; returns how many files are in it now. Every family has a regular and a bold face.

    A face is moved into its place whole: letters may be set at the same time.
    """
    families = ROOT / "node_modules" / "@expo-google-fonts"
    wanted = {source.name: source for weight in WEIGHTS for source in families.glob(f"*/{weight}/*.ttf")}
    wanted |= {f"{source.parent.name}.LICENSE": source for source in families.glob("*/LICENSE_FONT")}
    FONTS.mkdir(parents=True, exist_ok=True)
    for name, source in wanted.items():
        shutil.copyfile(source, FONTS / f".{name}")
        (FONTS / f".{name}").replace(FONTS / name)
    for left in FONTS.iterdir():
        if left.name not in wanted:
            left.unlink()
    return len(wanted)


def _major(npm: str) -> int:
    """The major version of this npm; 0 when it does not run."""
    answer = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"\d+", answer.stdout)
    return int(found.group()) if found else 0


def _run(argv: list[str], env: dict[str, str] | None = None) -> None:
    """Run one step of the installation; its own output tells what went wrong, our line tells what to do."""
    done = subprocess.run(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise click.ClickException(
            f"{Path(argv[0]).name} stopped with code {done.returncode} (see above). "
            "The network, or a proxy, is the usual reason. Then run it again: make setup"
        )
