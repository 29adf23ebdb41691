"""Internet of things 物联感知: devices and poles, their life, commands, faults (plan 4.10, 3.2, 7.2)."""
