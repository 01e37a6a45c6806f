"""The floor under every package: what a process does with its Linux host. Standard library only.

Files that survive a crash (`atomicfile`), lock files (`lockfile`), settings from TOML (`settings`), HTTP over a Unix
socket (`unixhttp`), systemd's units and journal (`systemd`, `journal`, `notify`), the back-off of a failing service
(`restarts`), calls that may hang (`blocking`), programs run to their end (`programs`), child processes by pid and start
time (`processes`), names that tell their owner (`owner`), removal of directories (`trees`), and of what an ended
process left (`sweep`), promptly also after a SIGKILL (`watcher`).
"""
