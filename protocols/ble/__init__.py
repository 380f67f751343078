"""What Bluetooth LE devices broadcast: advertisements, BTHome sensors, beacons."""
