#!/usr/bin/env bash
# int8 on an x86-64 processor that is not here: scripts/int8_parity.py on Linux in Bochs, which emulates AVX-512 and VNNI.
#   scripts/int8-emulated.sh FOLDER MODEL
# FOLDER is what `int8_parity.py prepare` wrote. MODEL is a name of `bochs --help cpu`: corei7_haswell_4770 (AVX2),
# corei7_skylake_x (AVX-512), tigerlake (AVX-512 VNNI), arrow_lake (AVX-VNNI). By hand, not in CI: some 5 minutes of a
# processor for `live`. Needs Bochs 3.0 (BOCHS: its program), not Debian's, which stops in its debugger:
#   ./configure --with-nogui --enable-all-optimizations --enable-x86-64 --enable-avx --enable-evex --enable-amx \
#     --enable-smp --enable-cet --enable-protection-keys --enable-memtype --enable-vmx=2 --enable-monitor-mwait
# and Debian's xorriso, bochsbios, vgabios, isolinux, syslinux-common and busybox-static (all but xorriso may be unpacked
# under DEBIAN, dpkg -x). KERNEL is a vmlinuz, such as that of linux-image-cloud-amd64. FOLDER/MODEL.txt keeps the console.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python} bochs=${BOCHS:-bochs} debian=${DEBIAN:-}
[ $# -eq 2 ] || { sed -n 3p "$0" >&2; exit 2; }
folder=$(realpath "$1") model=$2 said=$(realpath "$1")/$2.txt
isolinux=$debian/usr/lib/ISOLINUX/isolinux.bin loader=$debian/usr/lib/syslinux/modules/bios/ldlinux.c32
bios=$debian/usr/share/bochs/BIOS-bochs-latest vga=$debian/usr/share/vgabios/vgabios.bin busybox=$debian/bin/busybox
for needed in "${KERNEL:?is not set: a vmlinuz}" "$isolinux" "$loader" "$bios" "$vga" "$busybox" "$folder/control.onnx"; do
  [ -e "$needed" ] || { echo "int8-emulated: $needed is missing" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root disc=$work/disc
mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib64,python/{bin,lib},packages,project,int8} "$disc/isolinux"

# The interpreter, its library and the packages that `run` imports, less what it never opens.
where() { "$python" -c "import os, sys, sysconfig, numpy; print($1)"; }
library=$(where 'sysconfig.get_path("stdlib")')
packages=$(where 'os.path.dirname(numpy.__path__[0])')
copy() { # FROM TO NAME...
  tar -c -C "$1" --exclude={tests,test,__pycache__,site-packages,dist-packages,config-*,idlelib,ensurepip,include} \
    --exclude={*_gpu_*,*_npu_*,*WebGpu*,transformers,vendors} "${@:3}" | tar -x -C "$2"
}
cp "$(where 'os.path.realpath(sys.executable)')" "$root/python/bin/python3"
copy "$(dirname "$library")" "$root/python/lib" "$(basename "$library")"
copy "$packages" "$root/packages" $(cd "$packages" && for name in numpy scipy onnxruntime ai_edge_litert openvino; do
  ls -d $name $name.libs $name-*.dist-info 2>/dev/null || true
done) absl packaging platformdirs
copy . "$root/project" converters evaluation models scripts
cp "$folder"/*.npz "$folder"/*-int8.* "$folder"/control.* "$root/int8"
# The shared libraries, at the paths that the loader looks for.
find "$root" \( -name '*.so' -o -name '*.so.*' -o -name python3 \) -exec ldd {} + 2>/dev/null |
  grep -oE '/[^ ]+' | grep -v -e ':$' -e "^$root" | sort -u | while read -r path; do
  [ ! -f "$path" ] || install -D "$path" "$root$path"
done || true

cp "$busybox" "$root/bin/busybox"
cat >"$root/init" <<'END'
#!/bin/busybox sh
for kind in proc sysfs devtmpfs; do
  /bin/busybox mount -t $kind $kind /$(echo $kind | /bin/busybox sed 's/^sysfs/sys/; s/^devtmpfs/dev/')
done
cd /project
PYTHONPATH=/packages HOME=/tmp /python/bin/python3 scripts/int8_parity.py run /int8
echo "ended with $?"
/bin/busybox sleep 2
/bin/busybox poweroff -f
END
chmod +x "$root/init"

# The whole system is the initial RAM disk: the kernel's modules are not needed. Without fsrm because Linux 6.1 does not start
# in Bochs 3.0 with it; without amx_tile because Bochs 3.0 has no XFD, which Linux gives tiles by; no5lvl for the BIOS.
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) >"$disc/root.cpio"
cp "$KERNEL" "$disc/linux"
cp "$isolinux" "$loader" "$disc/isolinux"
cat >"$disc/isolinux/isolinux.cfg" <<'END'
default linux
label linux
 kernel /linux
 initrd /root.cpio
 append console=ttyS0 quiet rdinit=/init nokaslr mitigations=off no5lvl clearcpuid=fsrm,amx_tile random.trust_cpu=on
END
xorriso -as mkisofs -quiet -o "$work/disc.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat \
  -no-emul-boot -boot-load-size 4 -boot-info-table "$disc" 2>/dev/null

# Instructions set the clock (sync=none): the guest does not notice how slow it is. What Bochs logs may deadlock Bochs 3.0.
cat >"$work/bochsrc" <<END
cpu: model=$model, ips=200000000, reset_on_triple_fault=0
memory: guest=2048, host=2048
romimage: file="$bios"
vgaromimage: file="$vga"
ata0-master: type=cdrom, path="$work/disc.iso", status=inserted
boot: cdrom
clock: sync=none
com1: enabled=1, mode=file, dev="$said"
display_library: nogui
log: "$work/log"
panic: action=fatal
error: action=ignore
info: action=ignore
END
rm -f "$said"
"$bochs" -q -f "$work/bochsrc" >"$work/console" 2>&1 || true # powering off is a panic to Bochs
tr -d '\r' <"$said" | sed -n '/^processor:/,$p' | grep -v -e '^\[' -e '^INFO:' || true
grep -q '^ended with 0' "$said"
