#!/usr/bin/env bash
# Everything that a machine with a graphics card can tell, in one command and at most eight minutes.
#
#   bench/gpu.sh pack [TOOL]      at home, after `npm ci` here and in bench/: builds, and has TOOL pack it (called as `TOOL PATH...` from the root; it
#                                 takes the production dependencies along and leaves .gpu/enter, which sets a bare machine up)
#   bench/gpu.sh [FOLDER]         on the machine: results go to FOLDER, else $OUT/bench-gpu, else out/bench-gpu
#
# Settings by environment: DEVICE (gpu; system is a software driver), BUDGET (seconds in all, 460), PARTS (some of: facts tests golden workloads products
# sweep), PEAK_GFLOPS (of the card, f32, where the list below does not know it), ONLY (workloads), PYTHON (one that imports torch or jax).
# Every part has a limit of its own and writes as it goes, so what was measured before a limit is kept.
set -uo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = pack ]; then
  set -e
  npm run build >/dev/null
  mapfile -t modules < <(node bench/gpu-build.mjs)
  echo "out/gpu: $(du -sh out/gpu | cut -f1); ${#modules[@]} packages for the tests"
  [ -z "${2:-}" ] || "$2" dist out/gpu "${modules[@]}"
  exit
fi

# shellcheck disable=SC1091
[ ! -f .gpu/enter ] || . .gpu/enter
results=${1:-${OUT:-out}/bench-gpu}
mkdir -p "$results"
device=${DEVICE:-gpu}
budget=${BUDGET:-460}
parts=" ${PARTS:-facts tests golden workloads products sweep} "
export DLM_DEVICE=$device XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}
began=$SECONDS
[ -d out/gpu ] || { echo "gpu.sh: out/gpu is missing: run 'bench/gpu.sh pack' first" >&2; exit 2; }

# part NAME SHARE COMMAND...: its output in NAME.txt; at most SHARE percent of the budget, and no more than what is left
part() {
  local name=$1 share=$2 left limit status
  shift 2
  [[ $parts == *" $name "* ]] || return 0
  left=$((budget - (SECONDS - began)))
  limit=$((budget * share / 100))
  [ "$limit" -le "$left" ] || limit=$left
  if [ "$limit" -lt 5 ]; then
    echo "$name: no time left" | tee -a "$results/summary.txt"
    return 0
  fi
  local start=$SECONDS
  timeout --kill-after=5 "$limit" "$@" >"$results/$name.txt" 2>"$results/$name.err"
  status=$?
  [ $status -ne 124 ] || status="cut at its limit"
  echo "$name: $status, $((SECONDS - start)) s of $limit" | tee -a "$results/summary.txt"
}

facts() {
  date -u +%FT%TZ
  git rev-parse --short HEAD 2>/dev/null
  timeout 20 node dist/compiler/cli/main.js doctor --device "$device"
  nvidia-smi --query-gpu=name,driver_version,clocks.max.sm,clocks.max.mem,memory.total --format=csv 2>/dev/null
}
# f32 without tensor cores, from NVIDIA's data sheets
peak() {
  [ -z "${PEAK_GFLOPS:-}" ] || { echo "$PEAK_GFLOPS"; return; }
  case $(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1) in
    *H200* | *"H100 80GB HBM3"*) echo 67000 ;;
    *"H100 PCIe"*) echo 51000 ;;
    *A100*) echo 19500 ;;
    *L40S*) echo 91600 ;;
    *L40*) echo 90500 ;;
    *L4*) echo 30300 ;;
    *A10*) echo 31200 ;;
    *T4*) echo 8100 ;;
    *V100*) echo 15700 ;;
    *4090*) echo 82600 ;;
    *3090*) echo 35600 ;;
  esac
}
export -f facts peak
export device
products=${PRODUCTS:-512,1024,2048,4096}

rm -f "$results/summary.txt"
part facts 8 bash -c facts
# products first: short, and what matters most
part products 12 node out/gpu/sweep.mjs --device "$device" --products "$products" --peak "$(peak)" --only '^$' --out "$results/products.json"
part workloads 40 node bench/run.mjs --built "$PWD/out/gpu" --short --repeats 3 --device "$device" --peers webgpu,cuda,jax \
  ${ONLY:+--only "$ONLY"} --results "$results/workloads"
part tests 20 node node_modules/vitest/vitest.mjs run --reporter=verbose test/device test/schedule/lower.test.ts
part golden 12 node node_modules/vitest/vitest.mjs run --reporter=verbose test/reference/golden-device.test.ts
left=$((budget - (SECONDS - began)))
part sweep 100 node out/gpu/sweep.mjs --device "$device" --products "" --seconds "$((left > 15 ? left - 10 : 5))" --out "$results/sweep.json"

{
  echo "# $(date -u +%F), $(sed -n 's/^.*: \(NVIDIA.*\)$/\1/p' "$results/facts.txt" 2>/dev/null | head -1)"
  echo
  sed 's/^/- /' "$results/summary.txt"
  for f in facts.txt products.txt workloads/table.md sweep.txt; do
    [ -s "$results/$f" ] && printf '\n## %s\n\n' "${f%.*}" && cat "$results/$f"
  done
  for f in tests golden; do
    [ -s "$results/$f.txt" ] && printf '\n## %s\n\n' "$f" && grep -E '✓|❯|×|FAIL|Tests|Test Files' "$results/$f.txt" | tail -20
  done
} >"$results/REPORT.md"
echo "$results/REPORT.md"
