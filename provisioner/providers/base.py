"""What a provider says of itself: names it allows, values its Terraform root takes, records it leaves.

The rest of the code asks these questions and never «which provider is this?». Pure: nothing here contacts
anybody or imports a cloud's SDK; that is what ``verifier`` names a module for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from provisioner.providers.dangers import Dangers

if TYPE_CHECKING:
    from provisioner.manifest import ArtifactStore, Connector, Manifest

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class NameRule:
    """What a cloud allows as a name: ``pattern`` must match in full, no ``refused`` may match.

    ``says`` is the sentence a user reads when it does not hold; ``source`` is where the rule is from.
    """

    pattern: re.Pattern[str]
    says: str
    source: str
    refused: tuple[tuple[re.Pattern[str], str], ...] = ()

    def problem(self, name: str) -> str | None:
        """Why ``name`` is not allowed, or None when it is."""
        if not self.pattern.fullmatch(name):
            return self.says
        for pattern, why in self.refused:
            if pattern.search(name):
                return why
        return None


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: its module folders, template, manifest rules and counterparts in the runtime.

    A provider is an instance of a subclass, which overrides the methods in which it differs.
    """

    name: str
    title: str
    flavor: str
    scheme: str
    """How its paths begin, without ``://``; empty where a bucket is a directory."""
    template: str
    modules: Mapping[str, str]
    """``artifact_store`` and, where it has connectors, ``connector``: folders below ``modules/``."""
    bucket_rule: NameRule
    verifier: str
    """The module with ``connect(manifest, places) -> Cloud``."""
    reader: str
    """The module with ``connect(manifest) -> Reader``, for drift without Terraform."""
    auth_methods: tuple[str, ...]
    """What a manifest may ask for; the first is the default."""
    left_behind_template: str = ""
    """The template of the provider configurations that only the state needs, see ``left_behind``."""
    identity_methods: frozenset[str] = frozenset()
    """Those for which the modules create an identity: only they take access, trusted_principals, …"""
    secret_methods: frozenset[str] = frozenset()
    """Those that take their credentials from the secret that ``authentication_secret`` names."""
    minted_methods: frozenset[str] = frozenset()
    """Identity methods with a static credential, which the verifier mints into a secret after the apply."""
    side_buckets: frozenset[str] = frozenset()
    """Further buckets of a store: the resource of each, as ``store.type.name`` (or what else than ``store``
    stands before the store's name in the module's)."""
    dangers: Dangers = field(default_factory=Dangers)
    """What in a plan deserves a second look."""
    key_resources: frozenset[str] = frozenset()
    """Resources of a store's module, as ``type.name``, without which its objects cannot be read."""
    connector_type: str | None = None
    resource_type: str | None = None
    required_fields: frozenset[str] = frozenset()
    """Fields at the manifest's top that must be said."""
    allowed_fields: frozenset[str] = frozenset()
    """Fields at the manifest's top that only some providers have."""
    store_fields: frozenset[str] = frozenset()
    """Fields of an artifact store that only some providers have."""
    connector_fields: frozenset[str] = frozenset()
    """Fields of a connector that only some providers have."""
    storage_classes: tuple[str, ...] = ("standard",)
    slow_classes: frozenset[str] = frozenset()
    """Further classes that the cloud has, refused because what lies in them cannot be read at once."""
    never_archived: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Storage classes for which ``lifecycle.archive_after_days`` would do nothing, and why, in words."""
    class_of_writes: bool = False
    """Whether each write says its storage class: then a bucket need not be ours for a store to have one."""
    profiles: tuple[str, ...] = ("baseline",)
    grants_by_prefix: bool = True
    """Whether an identity can be held to a store's prefix; else its permissions are for the whole bucket."""
    field_rules: Mapping[str, NameRule] = field(default_factory=lambda: NOTHING)
    """What this cloud allows as the text of a field, by the field's name; ``tags.key`` and ``tags.value``."""
    service_rules: Mapping[str, NameRule] = field(default_factory=lambda: NOTHING)
    """What takes their place where an ``endpoint_url`` names another service with the same interface."""
    compatibilities: Mapping[str, Mapping[str, bool]] = field(default_factory=lambda: NOTHING)
    extra: str | None = None
    echoes: frozenset[str] = frozenset()
    """Attributes that only say again what others say, or when: a summary leaves them out."""
    packages: tuple[str, ...] = ()
    """The packages that ``extra`` brings, as they are imported."""
    environment: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NOTHING)
    """Manifest fields that `artifact-store deploy` takes from the environment where it is not told."""
    examples: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Values for the scaffold: of the manifest's top-level fields where `provision init` is not told."""
    planned_store: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({"path": "/planned"}))
    """What the root could answer as one store's output: to try a registration before the apply."""
    planned_identity: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """The same for the output of one connector with an identity."""

    @property
    def default_auth_method(self) -> str:
        """What a connector uses when the manifest does not say."""
        return self.auth_methods[0]

    @property
    def has_connectors(self) -> bool:
        """Whether credentials are needed at all."""
        return "connector" in self.modules

    def can(self, capability: str, compatibility: str) -> bool:
        """Whether the service behind ``compatibility`` understands ``capability``; unknown ones are had."""
        return self.compatibilities.get(compatibility, {}).get(capability, True)

    def rule_for(self, field_name: str, *, service: bool) -> NameRule | None:
        """What this cloud (or, with ``service``, another service at ``endpoint_url``) allows in a field."""
        rule = self.field_rules.get(field_name)
        return self.service_rules.get(field_name, rule) if service else rule

    # --- the manifest -----------------------------------------------------------------------------------

    def auth_method_for(
        self,
        connector: Connector,  # noqa: ARG002  # for those whose default depends on it
        compatibility: str,  # noqa: ARG002
    ) -> str:
        """The method of a connector that names none."""
        return self.default_auth_method

    def no_identity(
        self,
        connector: Connector | None,  # noqa: ARG002  # for those where it depends on the connector
        compatibility: str,  # noqa: ARG002
    ) -> tuple[str, str] | None:
        """Why no identity can be created (for a connector that is made by default where None is given).

        The connector's field that is at fault, and the sentence about it; None where it can.
        """
        return None

    def identities(self, manifest: Manifest) -> list[Connector]:
        """The connectors for which an identity is created: not those with credentials of their own."""
        return [item for item in manifest.connectors if item.auth_method in self.identity_methods]

    def problems(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those that have rules of their own
    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What does not hold between fields on this provider alone: the place, and the sentence about it."""
        yield from ()

    def module_folders(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those whose modules depend on it
    ) -> list[str]:
        """The modules that the root of this manifest calls."""
        return sorted(self.modules.values())

    # --- Terraform ----------------------------------------------------------------------------------------

    def variables(self, manifest: Manifest) -> dict[str, Any]:
        """The values of the root's variables: all that a user wrote reaches Terraform through these."""
        variables: dict[str, Any] = {
            "stack": manifest.name,
            "artifact_stores": {
                store.name: self.store_variables(store) for store in manifest.artifact_stores
            },
        }
        if self.has_connectors:
            variables |= {
                "region": manifest.region,
                "account": manifest.account,
                "tags": dict(manifest.tags),
                "connectors": {
                    connector.name: self.connector_variables(connector)
                    for connector in self.identities(manifest)
                },
            }
        return variables

    def store_variables(self, store: ArtifactStore) -> dict[str, Any]:
        """The values of one store, under its name in the variable ``artifact_stores``."""
        return {
            "bucket": store.bucket,
            "prefix": store.prefix or "",
            "existing": store.existing,
            "versioning": store.versioning,
            "kms_key": store.encryption.kms_key,
            "noncurrent_days": store.lifecycle.noncurrent_days,
            "abort_multipart_days": store.lifecycle.abort_multipart_days,
            "archive_after_days": store.lifecycle.archive_after_days,
        }

    def connector_variables(self, connector: Connector) -> dict[str, Any]:
        """The values of one connector with an identity, under its name in the variable ``connectors``."""
        return {
            "access": connector.access,
            "trusted_principals": list(connector.trusted_principals),
            "session_seconds": connector.session_seconds,
        }

    def terraform_environment(
        self,
        environ: Mapping[str, str],  # noqa: ARG002  # for those whose Terraform provider has names of its own
    ) -> dict[str, str]:
        """An identity of the environment under the names that the Terraform provider knows."""
        return {}

    def template_facts(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those that have some
    ) -> Mapping[str, Any]:
        """What the template gets beside ``stores``, ``roles`` and ``default_trust``; never a user's text."""
        return NOTHING

    def left_behind(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those whose root has several configurations
        aliases: Collection[str],  # noqa: ARG002  # those of such a root
    ) -> Sequence[Mapping[str, str]]:
        """What ``left_behind_template`` needs of the configurations that the manifest's root lacks."""
        return ()

    def misplaced(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those whose root has several configurations
        used: Collection[tuple[str, str]],  # noqa: ARG002  # those of such a root
    ) -> Iterator[str]:
        """In words, what would be looked for elsewhere than it is; ``used``: modules with their aliases."""
        yield from ()

    def missing_protections(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those that miss some
    ) -> list[str]:
        """The protections that the plan leaves out, each in words, for whoever reviews it."""
        return []

    def open_to(
        self,
        store: ArtifactStore,  # noqa: ARG002  # for those that know networks
    ) -> frozenset[str] | None:
        """The networks from which a store is reached by whoever has access; None: from all of them."""
        return None

    def permissions(self, connector: Connector) -> str:
        """In words, what a connector's identity may do in its stores."""
        return {
            "read-write": "list, read, write and delete objects, abort uploads, read old versions",
            "read-only": "list and read objects, read old versions",
        }[connector.access]

    def trusts_applier(self, connector: Connector) -> bool:
        """Whether a connector with an identity is for whoever applies."""
        return not connector.trusted_principals and connector.auth_method not in self.minted_methods

    def trusted(self, connector: Connector) -> str:
        """In words, who may use a connector's identity."""
        if connector.auth_method in self.minted_methods:
            return f"whoever has the secret {connector.authentication_secret}"
        return ", ".join(connector.trusted_principals) or "whoever applies this"

    # --- records of the runtime ---------------------------------------------------------------------------

    def runtime_method(self, connector: Connector) -> str:
        """The auth method that a connector is registered with: the runtime's word for the manifest's."""
        return connector.auth_method

    def address_of(
        self,
        config: Mapping[str, Any],  # noqa: ARG002  # for those whose service may be at any address
    ) -> str | None:
        """The manifest's ``endpoint_url`` by the configuration of a registered store."""
        return None

    def store_config(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those whose stores need some
        store: ArtifactStore,  # noqa: ARG002
        output: Mapping[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The configuration of a registered store; ``output`` is what the root answered for it.

        A KeyError for an output that is not there is told as what it is. None values are left out.
        """
        return {}

    def connector_config(
        self,
        manifest: Manifest,  # noqa: ARG002  # for those with connectors
        connector: Connector,  # noqa: ARG002
        output: Mapping[str, Any],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The configuration of a registered connector; ``output`` is empty for one without an identity.

        A KeyError for an output that is not there is told as what it is. None values are left out.
        """
        return {}
