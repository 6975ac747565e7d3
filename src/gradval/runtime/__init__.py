"""How jobs run: their logs, files, devices, and which code they depend on."""
