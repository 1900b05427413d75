"""Secrets in files: `<NAME>_FILE` names a file that holds the secret `<NAME>`. Containers get their secrets so."""

from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from app.errors import ConfigurationError


class SecretFiles(PydanticBaseSettingsSource):
    """The secrets whose files the sources of `named_in` name."""

    def __init__(self, settings: type[BaseSettings], *named_in: PydanticBaseSettingsSource) -> None:
        super().__init__(settings)
        self._variables = [source.env_vars for source in named_in if isinstance(source, EnvSettingsSource)]

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        named = next((found for each in self._variables if (found := each.get(f"{field_name}_file"))), None)
        is_secret = "SecretStr" in str(field.annotation)
        return (content_of(Path(named), field_name) if named and is_secret else None), field_name, False

    def __call__(self) -> dict[str, object]:
        fields = self.settings_cls.model_fields.items()
        found = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in found.items() if value}


def content_of(file: Path, name: str) -> str:
    """The secret in a file, without the line's end. Raises ConfigurationError, which names the variable."""
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        message = f"{name.upper()}_FILE: {file} cannot be read ({reason}). Mend the file, or take the variable away."
        raise ConfigurationError(message) from error
