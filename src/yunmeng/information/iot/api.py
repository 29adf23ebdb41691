"""The routes of the register of devices."""

from yunmeng.information.iot import firmware_api, ordering, registering, serving
from yunmeng.kernel.serve import Route

_D = "/api/devices"
_ONE = f"{_D}/{{id}}"
_F, _C = "/api/firmware", "/api/firmware-campaigns"

ROUTES = (
    Route("GET", _D, "device.read", registering.list_devices, "Devices in reach"),
    Route("POST", _D, "device.write", registering.register_devices, "Register devices, all or none"),
    Route("GET", f"{_D}/kinds", "device.read", registering.list_kinds, "Kinds of devices"),
    Route("GET", f"{_D}/export", "device.read", registering.export_devices, "Devices as a table (CSV)"),
    Route("POST", f"{_D}/commands", "command.send", ordering.command_devices, "Command many devices"),
    Route("PUT", f"{_D}/desired", "command.send", ordering.desire_all, "Desired configuration of many"),
    Route("POST", f"{_D}/steps", "device.write", registering.step_devices, "Next state of many devices"),
    Route("POST", f"{_D}/tags", "device.write", registering.tag_devices, "Tag many devices"),
    Route("GET", _ONE, "device.read", registering.show_device, "One device"),
    Route("PATCH", _ONE, "device.write", registering.step_device, "Next state of a device's life"),
    Route("POST", f"{_ONE}/credential", "device.write", registering.issue_credential, "Issue a credential"),
    Route("POST", f"{_ONE}/commands", "command.send", ordering.command_device, "Command a device"),
    Route("PUT", f"{_ONE}/desired", "command.send", ordering.desire, "Desired configuration of a device"),
    Route("POST", f"{_ONE}/commissioning", "device.write", serving.commission_device, "Put a device to work"),
    Route("POST", f"{_ONE}/maintenance", "device.write", serving.maintain_device, "Write down maintenance"),
    Route("POST", f"{_ONE}/faults", "device.write", serving.report_fault, "Report a fault"),
    Route("PATCH", "/api/faults/{id}", "device.write", serving.step_fault, "Next state of a fault"),
    Route("GET", _F, "device.read", firmware_api.list_firmware, "Firmware"),
    Route("POST", _F, "device.write", firmware_api.add_firmware, "Add firmware"),
    Route(
        "GET",
        f"{_F}/files/{{secret}}",
        "page.read",
        firmware_api.fetch_firmware,
        "A firmware file, for devices",
    ),
    Route("GET", _C, "device.read", firmware_api.list_campaigns, "Firmware campaigns"),
    Route("POST", _C, "command.send", firmware_api.begin_campaign, "Begin a firmware campaign"),
    Route("GET", f"{_C}/{{id}}", "device.read", firmware_api.show_campaign, "One campaign, by wave"),
    Route("PATCH", f"{_C}/{{id}}", "command.send", firmware_api.order_campaign, "Pause, resume, cancel"),
    Route("GET", f"{_C}/{{id}}/devices", "device.read", firmware_api.list_updates, "Devices of a campaign"),
)
