"""What containers, pods, volumes and this machine use: by the kernel's files, without the engine."""
