# Mounts a /dev that has the driver's devices, as ordinary files, for what runs after it in the same mount namespace. The
# folder may be written by its owner alone: in others the kernel lets a user who is root of a namespace of his own open no
# device.
set -e
there=$(mktemp -d)
mount -t tmpfs -o mode=755 none "$there"
for node in null zero full random urandom; do
    : >"$there/$node"
    mount -o bind "/dev/$node" "$there/$node"
done
ln -s /proc/self/fd "$there/fd"
mkdir "$there/shm"
mount -o rbind /dev/shm "$there/shm"
: >"$there/nvidiactl"
: >"$there/nvidia0"
: >"$there/nvidia-uvm"
mount -o rbind "$there" /dev
umount -l "$there"
rmdir "$there"
