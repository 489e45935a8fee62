# The stages of scripts/gpu quick, in the folder of an unpacked pack. Each has a limit of time, none ends the run.
# The benches come before the peers, which can be measured another time.

whole=475          # seconds for all stages
slots=$(nproc)     # checks at once
[ "$slots" -le 12 ] || slots=12
scale_of_limits=1  # in a rehearsal the host is slow
bench_options=(--llama bench/llama-7b.json)
peer_options=()
# Filters of tests: all but those that run on the CPU alone, what has GEMMs of cuBLASLt, and for
# compute-sanitizer, which slows kernels a hundredfold, one test or two of each kind of kernel.
filter_all='*:-*cpu*'
filter_library='Linear*:Project*:CudaGemm.ByTheLibrary*:*Golden*cuda*:*Graph*'
filter_memcheck='Attention.V*:Contrastive.V*:CudaGemm.Spl*:Embedding.Gr*:CachedAttention.R*:Sampling.Ord*:Layernorm.*'
filter_racecheck='Attention.V*:Contrastive.V*:Embedding.Gr*:CachedAttention.R*:Sampling.Ord*:Layernorm.*'
filter_initcheck='Attention.V*:Layernorm.V*:Embedding.Gr*'

absent=77  # the code of what needs something that is not there
failures=0
lines=()  # of the report: a row for each stage

within() {  # SECONDS COMMAND…: no longer than that, nor beyond the end of all
  local limit=$(($1 * scale_of_limits)) left=$((whole * scale_of_limits - SECONDS))
  shift
  [ "$limit" -le "$left" ] || limit=$left
  [ "$limit" -ge 2 ] || { echo "no time is left for $*"; return 124; }
  timeout -k 2 "$limit" "$@"
}

# Our own programs find the libraries; compute-sanitizer and ncu are not disturbed by them.
ours() {  # SECONDS PROGRAM ARGUMENTS…
  local limit=$1
  shift
  within "$limit" env LACLIP_LIBRARY_PATH="$libraries" LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$@"
}

outcome() {  # CODE
  case $1 in
    0) echo ok ;;
    "$absent") echo "left out" ;;
    124 | 137) echo "out of time" ;;
    *) echo "failed ($1)" ;;
  esac
}

note() {  # NAME CODE SECONDS: a line for the report, and for who waits
  case $2 in 0 | "$absent") ;; *) failures=$((failures + 1)) ;; esac
  lines+=("| $1 | $(outcome "$2") | $3 |")
  echo "== $1: $(outcome "$2"), $3 s"
}

stage() {  # NAME FUNCTION
  local code=0 start=$SECONDS
  "$2" > "$work/$2.log" 2>&1 || code=$?
  note "$1" "$code" $((SECONDS - start))
}

# ---- where the libraries are: folders with colons between them
find_libraries() {
  {
    python3 - <<'PYTHON' 2>/dev/null
import glob, site, sysconfig
for base in {*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("purelib")}:
    print("\n".join(glob.glob(base + "/nvidia/*/lib")))
PYTHON
    ls -d "${CUDA_HOME:-/usr/local/cuda}"/lib64 /usr/local/cuda-13*/lib64 2>/dev/null
  } | sort -u | while read -r folder; do
    for name in cublasLt cudnn nccl; do
      ! compgen -G "$folder/lib$name.so*" > /dev/null || { echo "$folder"; break; }
    done
  done | paste -sd:
}

# ---- correctness: several processes at once
checks=()
check() {  # NAME SECONDS VARIABLE=VALUE… COMMAND…, in the background
  local name=$1 limit=$2
  shift 2
  checks+=("$name")
  while [ "$(jobs -rp | wc -l)" -gt "$slots" ]; do sleep 0.2; done  # dmon is one of them
  {
    start=$SECONDS code=0
    within "$limit" env OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive LACLIP_TEST_DEVICE=cuda LACLIP_GEMM=own "$@" \
      > "$work/$name.log" 2>&1 || code=$?
    echo "$code $((SECONDS - start))" > "$work/$name.code"
  } &
}

sanitize() {  # TOOL FILTER
  check "sanitize-$1" 95 compute-sanitizer --tool "$1" --error-exitcode 9 ./laclip_gpu_tests --gtest_filter="$2"
}

correctness() {
  local shard name code seconds file
  if command -v compute-sanitizer > /dev/null; then  # the longest first
    sanitize racecheck "$filter_racecheck"
    sanitize memcheck "$filter_memcheck"
    sanitize initcheck "$filter_initcheck"
    sanitize synccheck "$filter_initcheck"
  else
    note "compute-sanitizer" "$absent" 0
  fi
  if has_torch; then
    check peers-compile 100 python3 bench/peers/peers.py --warm "${peer_options[@]}"
  fi
  for shard in 0 1 2 3; do
    check "own-$shard" 100 GTEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=$shard ./laclip_gpu_tests --gtest_filter="$filter_all"
  done
  if [ -n "$library" ]; then
    check library 90 LACLIP_GEMM=library LACLIP_LIBRARY_PATH="$libraries" \
      LD_LIBRARY_PATH="$libraries" ./laclip_gpu_tests --gtest_filter="$filter_library"
  else
    note library "$absent" 0
  fi
  wait_for_checks
  for name in "${checks[@]}"; do
    read -r code seconds < "$work/$name.code"
    note "$name" "$code" "$seconds"
    case $name in sanitize-*) file=sanitize.log ;; *) file=tests.log ;; esac
    {
      echo "==== $name: $(outcome "$code"), $seconds s"
      grep -v -E '^\[ (RUN|      OK) ' "$work/$name.log" | head -c 1000000
    } >> "$out/$file"
  done
}

wait_for_checks() {
  local name
  for name in "${checks[@]}"; do
    until [ -s "$work/$name.code" ]; do sleep 0.2; done
  done
}

has_torch() { python3 -c 'import torch' 2> /dev/null; }

# ---- speed
bench_all() {
  local code=0
  ours 150 ./laclip bench gpu --device cuda "${bench_options[@]}" --output "$out/bench.jsonl" || code=$?
  # What a part has lost by the end of another is measured by itself.
  bench_again clip_step '^(step|profile) ' 50
  bench_again rewriting '^rewriting ' 40
  return "$code"
}

bench_again() {  # KIND ROWS SECONDS
  ! grep -q "\"bench\":\"$1\"" "$out/bench.jsonl" || return 0
  ours "$3" ./laclip bench gpu --device cuda "${bench_options[@]}" --only "$2" --output "$work/$1.jsonl"
  cat "$work/$1.jsonl" >> "$out/bench.jsonl"
}

# The same GEMMs by each way alone; bench_all takes what is faster.
bench_gemms() {
  local way code=0
  for way in own library; do
    [ "$way" = own ] || [ -n "$library" ] || continue
    LACLIP_GEMM=$way ours 20 ./laclip bench ops --device cuda "${op_options[@]}" --repeats 3 \
      --only '^linear_(forward|backward)' --output "$work/$way.jsonl" || code=$?
    sed "s/\"bench\":\"op\"/\"bench\":\"op, LACLIP_GEMM=$way\"/" "$work/$way.jsonl" >> "$out/bench.jsonl"
  done
  return "$code"
}
op_options=()

ncu_kernels() {
  local kernel row code=0
  command -v ncu > /dev/null || { echo "there is no ncu"; return "$absent"; }
  while IFS='|' read -r kernel row; do
    LACLIP_GEMM=own within 15 ncu --clock-control none --section SpeedOfLight --section Occupancy \
      --section WarpStateStats --section MemoryWorkloadAnalysis --section InstructionStats \
      -k "regex:$kernel" --launch-skip 2 --launch-count 1 --csv --log-file "$work/ncu.part" \
      ./laclip bench ops --device cuda "${op_options[@]}" --repeats 1 --only "$row" || code=$?
    grep '^"' "$work/ncu.part" >> "$out/ncu.csv" || code=1  # nothing was profiled
    rm -f "$work/ncu.part"
  done <<< "$GPU_KERNELS"
  return "$code"
}

peers() {
  has_torch || { echo "python3 has no torch"; return "$absent"; }
  within 115 python3 bench/peers/peers.py "${peer_options[@]}" > "$out/peers.jsonl"
}

report() {
  {
    echo "# ${device:-no GPU}, $(date +%Y-%m-%d)"
    printf '\n```\n%s\n%s\n```\n' "$environment" "$(cat "$work/device.log")"
    printf '\n%s\n' "Pack: $(cat BUILD). Library: ${library:-no cuBLASLt}. $(nproc) CPU cores. \
Medians; random normal data; operands of single ops rotate, so that no cache holds them."
    printf '\n| stage | | seconds |\n|---|---|---|\n'
    printf '%s\n' "${lines[@]}"
    printf '\n## Tests\n\n```\n'
    grep -h -E '^====|^\[  (PASSED|FAILED)|(ERROR|RACECHECK) SUMMARY' "$out/tests.log" "$out/sanitize.log" 2> /dev/null
    echo '```'
    python3 bench/table.py "$out/bench.jsonl" "$out/peers.jsonl" "$out/ncu.csv" "$out/dmon.txt" 2> "$work/table.log" ||
      cat "$out/bench.jsonl" "$out/peers.jsonl"
  } > "$out/report.md" 2> "$work/report.log"
  cp "$out/report.md" "$work"
  tar -czf "$out/results.tgz" -C "$work" --exclude=./inductor .
  cat "$out/report.md"
}

run_stages() {  # OUT
  set +e
  out=$1
  work=$(mktemp -d)
  trap 'rm -rf "$work" "${stubs:-$work}"; [ -z "${dmon:-}" ] || kill "$dmon" 2> /dev/null' EXIT
  mkdir -p "$out"
  local file
  for file in bench.jsonl peers.jsonl ncu.csv tests.log sanitize.log dmon.txt; do : > "$out/$file"; done
  export LACLIP_SOURCE_DIR=$PWD LACLIP_REFERENCE_DATA=$PWD/reference
  export OMP_WAIT_POLICY=passive  # laclip would set it by starting itself again, under the tools' eyes
  export XDG_CACHE_HOME=$work/cache TORCHINDUCTOR_CACHE_DIR=$work/inductor  # nothing is known from before
  libraries=$(find_libraries)
  environment=$(nvidia-smi --query-gpu=name,uuid,clocks.sm,clocks.max.sm,clocks.mem,power.limit,driver_version --format=csv 2>&1)
  local row code=0
  row=$(ours 30 ./laclip bench device --device cuda 2> "$work/device.log") || code=$?
  note device "$code" "$SECONDS"
  device=$(sed -n 's/.*"device":"\([^"]*\)".*/\1/p' <<< "$row")
  library=$(sed -n 's/.*"library":"\([^"]*\)".*/\1/p' <<< "$row")
  if [ -n "$device" ]; then
    nvidia-smi dmon -s pucm -o T > "$out/dmon.txt" 2>&1 &
    dmon=$!
    local start=$SECONDS
    correctness
    note "correctness together" 0 $((SECONDS - start))
    stage bench bench_all
    stage gemms bench_gemms
    stage ncu ncu_kernels
    stage peers peers
    kill "$dmon" 2> /dev/null
  fi
  note "all together" 0 "$SECONDS"
  report
  [ "$failures" = 0 ]
}
