"""The facts that checks judge: files under /proc, /sys and /dev, the network, the running gateway."""
