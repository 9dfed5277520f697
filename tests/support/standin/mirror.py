"""A filesystem mirror of providers: real ones where they are found, stand-ins for the others."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path

from certificates import loopback_certificate

SCHEMAS = Path(__file__).resolve().parents[2] / "data" / "provider-schemas"
_SUPPORT = Path(__file__).resolve().parents[1]
_REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")


@dataclass
class Mirror:
    """A mirror at ``folder``; ``ran`` says, for messages, which provider is which."""

    folder: Path
    ran: dict[str, str] = field(default_factory=dict)

    def stand_in(self, name: str, version: str, *, handlers: str | Path | None = None) -> None:
        """Add a stand-in for ``hashicorp/<name>`` with the official schema of ``version``.

        ``handlers`` is the module with what its types do, by its name in tests/support or by its file;
        without one, each type keeps what it is given at the server that STANDIN_SERVER names.
        """
        schema = SCHEMAS / f"{name}-{version}.json"
        if not schema.is_file():
            raise FileNotFoundError(f"no official schema of {name} {version}: {schema}")
        certificate = self._certificate()
        places = [_SUPPORT]
        if isinstance(handlers, Path):
            places, handlers = [handlers.parent, _SUPPORT], handlers.stem
        script = (
            f"#!{sys.executable} -sE\n"
            "# A stand-in for a Terraform provider: schemas without the provider's own code.\n"
            f"import sys\nsys.path[:0] = {[str(place) for place in places]!r}\n"
            "from standin.plugin import main\n"
            f"main({name!r}, {str(schema)!r}, {str(certificate)!r}, {handlers!r})\n"
        )
        for registry in _REGISTRIES:
            folder = self.folder / registry / "hashicorp" / name / version / this_platform()
            folder.mkdir(parents=True)
            binary = folder / f"terraform-provider-{name}_v{version}"
            binary.write_text(script)
            binary.chmod(0o755)
        self.ran[name] = f"hashicorp/{name} {version}: a stand-in"

    def real(self, name: str, mirror: Path) -> None:
        """Add the real ``hashicorp/<name>`` of another mirror."""
        for registry in _REGISTRIES:
            source = mirror / registry / "hashicorp" / name
            if source.is_dir():
                for version in source.iterdir():  # Terraform follows a link to the package alone
                    target = self.folder / registry / "hashicorp" / name / version.name
                    target.mkdir(parents=True)
                    (target / this_platform()).symlink_to(version / this_platform())
                versions = ", ".join(sorted(path.name for path in source.iterdir()))
                self.ran[name] = f"hashicorp/{name} {versions}: the real one"

    def real_or_stand_in(
        self,
        name: str,
        version: str,
        *,
        mirrors: tuple[Path | None, ...] = (),
        handlers: str | Path | None = None,
    ) -> bool:
        """The real provider where one of ``mirrors`` has it, else a stand-in; whether it is the real one."""
        for mirror in (*mirrors, named_mirror()):
            if mirror is not None and holds(mirror, name):
                self.real(name, mirror)
                return True
        self.stand_in(name, version, handlers=handlers)
        return False

    def is_real(self, name: str) -> bool:
        """Whether ``name`` is the provider itself and no stand-in."""
        return self.ran[name].endswith("the real one")

    def _certificate(self) -> Path:
        """One key and certificate for all stand-ins: nobody but this machine's Terraform ever sees them."""
        file = self.folder / "loopback-both.pem"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            loopback_certificate(self.folder)
        return file


def named_mirror() -> Path | None:
    """The mirror that the environment names."""
    named = os.environ.get("PROVISION_PLUGIN_MIRROR")
    return Path(named) if named else None


def holds(mirror: Path, name: str) -> bool:
    """Whether ``mirror`` has ``hashicorp/<name>`` for this machine, unpacked."""
    pattern = f"*/hashicorp/{name}/*/{this_platform()}/terraform-provider-{name}*"
    return any(True for _ in mirror.glob(pattern))


def this_platform() -> str:
    """This machine as a provider mirror names it, such as ``linux_amd64``."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine().lower())
    return f"{platform.system().lower()}_{machine}"
