"""The run file of a flow is read as the Dapr CLI reads it, and a broken one gets one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from choreography.up import FlowFileError, read_flow

CHECKOUT = Path(__file__).parents[3] / "apps" / "checkout"


def written(folder: Path, **content: object) -> Path:
    """A flow folder with this run file."""
    (folder / "dapr.yaml").write_text(yaml.safe_dump(content))
    return folder


def app(name: str, **more: object) -> dict[str, object]:
    """A complete entry."""
    return {"appID": name, "appDirPath": ".", "command": ["serve", name], **more}


def test_checkout_is_five_services_and_one_program_outside() -> None:
    """The shipped file names everything the flow is made of."""
    flow = read_flow(CHECKOUT)
    assert [service.name for service in flow.services] == [
        *["order", "inventory", "billing", "shipping", "notification"]
    ]
    assert [outside.name for outside in flow.outside] == ["payment-provider"]


def test_every_service_module_of_checkout_is_there() -> None:
    """A command that names a missing module would fail only at run time."""
    flow = read_flow(CHECKOUT)
    modules = [service.command[-1].replace(".", "/") + ".py" for service in flow.services]
    assert all((CHECKOUT.parents[1] / module).is_file() for module in modules)


def test_an_outside_program_is_known_by_its_upper_case_name() -> None:
    """Services find the payment provider under the variable the library derives from its name."""
    [provider] = read_flow(CHECKOUT).outside
    assert provider.outside_variable == "OUTSIDE_PAYMENT_PROVIDER"


def test_an_app_keeps_its_own_value_over_the_common_one(tmp_path: Path) -> None:
    """The environment is merged in the order of the Dapr CLI."""
    own = app("a", env={"COLOUR": "red"})
    flow = read_flow(written(tmp_path, version=1, common={"env": {"COLOUR": "blue", "SIZE": 3}}, apps=[own]))
    assert flow.apps[0].environment == {"COLOUR": "red", "SIZE": "3"}


def test_folders_are_meant_from_where_the_file_is(tmp_path: Path) -> None:
    """A run file means the same from every working directory."""
    flow = read_flow(written(tmp_path, version=1, apps=[app("a", appDirPath="..")]))
    assert flow.apps[0].folder == tmp_path.parent.resolve()


def test_a_missing_file_is_told_with_what_to_name_instead(tmp_path: Path) -> None:
    """A typo in the folder is the most likely first mistake."""
    with pytest.raises(FlowFileError, match=r"cannot be read .* Name a folder that holds a dapr\.yaml"):
        read_flow(tmp_path / "typo")


def test_a_file_that_is_no_run_file_is_told(tmp_path: Path) -> None:
    """Any YAML file may be named by mistake."""
    with pytest.raises(FlowFileError, match=r"no `version` or no `apps`"):
        read_flow(written(tmp_path, kind="Component"))


def test_an_incomplete_app_is_told_by_its_place(tmp_path: Path) -> None:
    """An entry without an id can only be named by its place."""
    with pytest.raises(FlowFileError, match=r"App 2 in .* has no `appID` and no `command`"):
        read_flow(written(tmp_path, version=1, apps=[app("a"), {"appDirPath": "."}]))


def test_a_command_that_needs_a_shell_is_told(tmp_path: Path) -> None:
    """The Dapr CLI wants a list; a string would be run letter by letter."""
    with pytest.raises(FlowFileError, match=r"The command of a .* is not a list"):
        read_flow(written(tmp_path, version=1, apps=[app("a", command="serve a")]))


def test_two_apps_with_one_id_are_told(tmp_path: Path) -> None:
    """Two different apps under one id would take each other's events."""
    with pytest.raises(FlowFileError, match=r"names a twice"):
        read_flow(written(tmp_path, version=1, apps=[app("a"), app("a")]))


def test_components_that_were_not_rendered_are_told_with_those_that_were(tmp_path: Path) -> None:
    """A user who names a missing broker wants to know the existing ones."""
    (tmp_path / "dapr" / "redis").mkdir(parents=True)
    flow = read_flow(written(tmp_path, version=1, apps=[app("a")]))
    with pytest.raises(FlowFileError, match=r"choose one that is there: redis"):
        flow.resources_for("kafka")


def test_a_misspelt_broker_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    """The list of all is long for one wrong letter."""
    for broker in ("redis", "kafka"):
        (tmp_path / "dapr" / broker).mkdir(parents=True)
    flow = read_flow(written(tmp_path, version=1, apps=[app("a")]))
    with pytest.raises(FlowFileError, match=r"Did you mean kafka\? Else render it"):
        flow.resources_for("kafak")
