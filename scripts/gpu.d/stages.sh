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
filter_all='*:-*cpu*:*Cpu*'
filter_library='Linear*:Project*:CudaGemm.ByTheLibrary*:CudaGemm.TheLibrary*:CudaGemm.Tells*:SmallGemm.*:*Golden*cuda*:*Graph*'
filter_memcheck='Attention.V*:Contrastive.V*:CudaGemm.Spl*:Embedding.Gr*:CachedAttention.R*:Sampling.Ord*:Layernorm.*'
filter_racecheck='Attention.V*:Contrastive.V*:Embedding.Gr*:CachedAttention.R*:Sampling.Ord*:Layernorm.*'
filter_initcheck='Attention.V*:Layernorm.V*:Embedding.Gr*'

# Says why PyTorch cannot be measured, by the exit code and the last line.
torch_probe='import sys, torch; sys.exit(None if torch.cuda.is_available() else "this PyTorch sees no GPU")'

absent=77  # the code of what needs something that is not there
failures=0
lines=()  # of the report: a row for each stage
broken=()  # of the report: what failed, and where

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
  within "$limit" env LACLIP_LIBRARY_PATH="$libraries" LD_LIBRARY_PATH="$library_path" "$@"
}

outcome() {  # CODE
  case $1 in
    0) echo ok ;;
    "$absent") echo "left out" ;;
    124 | 137) echo "out of time" ;;
    *) echo "failed ($1)" ;;
  esac
}

note() {  # NAME CODE SECONDS [REASON]: a line for the report, and for who waits
  local result
  result="$(outcome "$2")${4:+: $4}"
  case $2 in 0 | "$absent") ;; *) failures=$((failures + 1)) broken+=("$1: $result") ;; esac
  lines+=("| $1 | $result | $3 |")
  echo "== $1: $result, $3 s"
}

stage() {  # NAME FUNCTION
  local code=0 start=$SECONDS reason=""
  "$2" > "$work/$2.log" 2>&1 || code=$?
  [ "$code" = 0 ] || reason=$(tail -n 1 "$work/$2.log" | cut -c -200)
  note "$1" "$code" $((SECONDS - start)) "$reason"
}

# ---- where the tools and the libraries are
find_tools() {
  local folder
  for folder in "${CUDA_HOME:-/usr/local/cuda}/bin" \
    $(ls -d /usr/local/cuda-1[23]*/bin /opt/nvidia/nsight-compute/* 2> /dev/null | sort -rV); do
    [ ! -d "$folder" ] || PATH=$PATH:$folder
  done
}

find_torch() {  # no_torch: why there is none
  no_torch=$(within 60 python3 -c "$torch_probe" 2>&1) && no_torch="" && return
  no_torch=$(tail -n 1 <<< "${no_torch:-PyTorch was not imported within 60 s}")
}

# Folders with colons between them. cuBLASLt is opened by our programs; the others are reported only.
find_libraries() {
  {
    within 20 python3 - <<'PYTHON' 2>/dev/null
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
deadline=0  # then a check that has left no code hangs where no signal reaches it
check() {  # NAME SECONDS VARIABLE=VALUE… COMMAND…, in the background
  local name=$1 limit=$2 end
  shift 2
  checks+=("$name")
  while [ "$(jobs -rp | wc -l)" -gt "$slots" ] && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.2; done  # dmon is one of them
  end=$((SECONDS + limit * scale_of_limits + 10))
  [ "$end" -le "$deadline" ] || deadline=$end
  {
    start=$SECONDS code=0
    within "$limit" env OMP_NUM_THREADS=2 LACLIP_TEST_DEVICE=cuda LACLIP_GEMM=own "$@" > "$work/$name.log" 2>&1 || code=$?
    ! grep -q 'Running 0 tests' "$work/$name.log" || code=1  # a filter that nothing matches
    echo "$code $((SECONDS - start))" > "$work/$name.code"
  } &
}

sanitize() {  # TOOL FILTER
  check "sanitize-$1" 95 compute-sanitizer --tool "$1" --error-exitcode 9 ./laclip_gpu_tests --gtest_filter="$2"
}

correctness() {
  local shard
  if command -v compute-sanitizer > /dev/null; then  # the longest first
    sanitize racecheck "$filter_racecheck"
    sanitize memcheck "$filter_memcheck"
    sanitize initcheck "$filter_initcheck"
    sanitize synccheck "$filter_initcheck"
  else
    note "compute-sanitizer" "$absent" 0 "it is neither in PATH nor in a CUDA toolkit"
  fi
  find_torch
  [ -n "$no_torch" ] || check peers-compile 100 python3 bench/peers/peers.py --warm "${peer_options[@]}"
  for shard in 0 1 2 3; do
    check "own-$shard" 100 GTEST_TOTAL_SHARDS=4 GTEST_SHARD_INDEX=$shard ./laclip_gpu_tests --gtest_filter="$filter_all"
  done
  if [ -n "$library" ]; then
    check library 90 "${with_library[@]}" ./laclip_gpu_tests --gtest_filter="$filter_library"
  else
    note library "$absent" 0 "$no_library"
  fi
  wait_for_checks
  tell_checks
  run_alone
}

wait_for_checks() {
  local name
  for name in "${checks[@]}"; do
    until [ -s "$work/$name.code" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.2; done
    [ -s "$work/$name.code" ] || echo "137 -" > "$work/$name.code"
  done
}

tell_checks() {
  local name code seconds file
  for name in "${checks[@]}"; do
    read -r code seconds < "$work/$name.code"
    note "$name" "$code" "$seconds" "$(first_failure "$name" "$code")"
    case $name in sanitize-*) file=sanitize.log ;; *) file=tests.log ;; esac
    {
      echo "==== $name: $(outcome "$code"), $seconds s"
      grep -v -E '^\[ (RUN|      OK) ' "$work/$name.log" | head -c 1000000
    } >> "$out/$file"
  done
}

failed_tests() {  # NAME of a check: those that failed, and the one in which the program ended
  sed -n 's/^\[  FAILED  \] \([^ ,]*[./][^ ,]*\).*/\1/p' "$work/$1.log" | awk '!seen[$0]++'
  unfinished_test "$1"
}

unfinished_test() {
  awk '/^\[ RUN      \]/ { name = $4 } /^\[ +(OK|FAILED|SKIPPED) +\]/ { name = "" }
    END { if (name) print name }' "$work/$1.log"
}

first_failure() {  # NAME CODE
  local first ended
  [ "$2" != 0 ] || return 0
  ended=$(unfinished_test "$1")
  first=$(failed_tests "$1" | head -n 1)
  first=${first:-$(tail -n 1 "$work/$1.log" | cut -c -200)}
  echo "$first${ended:+ (it ended in $ended and ran no test after that)}"
}

# An error of CUDA can outlive its test and fail all that follow in the process: each failed test once more in a
# process of its own, while time is left.
run_alone() {
  local name failed until first=${#checks[@]} tests=() code seconds number=0
  for name in "${checks[@]}"; do
    case $name in own-* | library) ;; *) continue ;; esac
    read -r code seconds < "$work/$name.code"
    [ "$code" != 0 ] || continue
    for failed in $(failed_tests "$name"); do tests+=("$name $failed"); done
  done
  [ "${#tests[@]}" -gt 0 ] || return 0
  until=$((SECONDS + 30 * scale_of_limits))
  for failed in "${tests[@]}"; do
    [ "$SECONDS" -lt "$until" ] || break
    local environment_of=()
    [ "${failed%% *}" != library ] || environment_of=("${with_library[@]}")
    check "alone-$number" 15 "${environment_of[@]}" ./laclip_gpu_tests --gtest_filter="${failed#* }"
    number=$((number + 1))
  done
  wait_for_checks
  {
    echo "==== failed tests, each alone"
    for ((number = 0; number < ${#tests[@]}; ++number)); do
      if [ -s "$work/alone-$number.code" ]; then
        read -r code seconds < "$work/alone-$number.code"
        echo "${tests[number]}: alone $(outcome "$code")"
      else
        echo "${tests[number]}: not run alone, time was over"
      fi
    done
  } | tee "$work/alone.txt" >> "$out/tests.log"
  mapfile -t -O "${#broken[@]}" broken < <(tail -n +2 "$work/alone.txt" | head -n 40)
  checks=("${checks[@]:0:first}")
}

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
  local way rows code=0
  for way in own library library-bgrad; do
    [ "$way" = own ] || [ -n "$library" ] || continue
    rows='^linear_(forward|backward)'
    [ "$way" != library-bgrad ] || rows='^linear_backward_weight'
    LACLIP_GEMM=$way ours 20 ./laclip bench ops --device cuda "${op_options[@]}" --repeats 3 \
      --only "$rows" --output "$work/$way.jsonl" || code=$?
    sed "s/\"bench\":\"op\"/\"bench\":\"op, LACLIP_GEMM=$way\"/" "$work/$way.jsonl" >> "$out/bench.jsonl"
  done
  return "$code"
}
op_options=()

ncu_kernels() {
  local kernel row code=0
  command -v ncu > /dev/null || { echo "it is neither in PATH nor in a CUDA toolkit"; return "$absent"; }
  while IFS='|' read -r kernel row; do
    LACLIP_GEMM=own within 15 ncu --clock-control none --section SpeedOfLight --section Occupancy \
      --section WarpStateStats --section MemoryWorkloadAnalysis --section InstructionStats \
      -k "regex:$kernel" --launch-skip 2 --launch-count 1 --csv --log-file "$work/ncu.part" \
      ./laclip bench ops --device cuda "${op_options[@]}" --repeats 1 --only "$row" > "$work/ncu.out" 2>&1 || code=$?
    cat "$work/ncu.out"
    if grep -q ERR_NVGPUCTRPERM "$work/ncu.out" "$work/ncu.part" 2> /dev/null; then
      echo "the driver gives counters to root only (ERR_NVGPUCTRPERM)"
      return "$absent"
    fi
    grep '^"' "$work/ncu.part" >> "$out/ncu.csv" || code=1  # nothing was profiled
    rm -f "$work/ncu.part"
  done <<< "$GPU_KERNELS"
  return "$code"
}

peers() {
  [ -z "$no_torch" ] || { echo "$no_torch"; return "$absent"; }
  within 115 python3 bench/peers/peers.py "${peer_options[@]}" > "$out/peers.jsonl"
}

stages_table() {
  printf '\n| stage | | seconds |\n|---|---|---|\n'
  printf '%s\n' "${lines[@]}"
}

report() {
  local file
  {
    echo "# ${device:-no GPU}, $(date +%Y-%m-%d)"
    printf '\n```\n%s\n%s\n```\n' "$environment" "$(cat "$work/device.log")"
    printf '\n%s\n' "Pack: $(paste -sd';' BUILD). Library: ${library:-no cuBLASLt, $no_library}. \
compute-sanitizer: $(command -v compute-sanitizer || echo none). ncu: $(command -v ncu || echo none). $(nproc) CPU cores. \
Medians; random normal data; operands of single ops rotate, so that no cache holds them."
    stages_table
    printf '\n## Tests\n\n```\n'
    grep -h -E '^====|^\[  (PASSED|FAILED)|: (not run )?alone|(ERROR|RACECHECK) SUMMARY' "$out/tests.log" "$out/sanitize.log" 2> /dev/null
    echo '```'
    python3 bench/table.py "$out/bench.jsonl" "$out/peers.jsonl" "$out/ncu.csv" "$out/dmon.txt" 2> "$work/table.log" ||
      cat "$out/bench.jsonl" "$out/peers.jsonl"
    printf '\n## Stages again, and failures\n'  # who sees the end of the output alone, sees these
    stages_table
    [ "${#broken[@]}" = 0 ] || printf '\n%s' "${broken[@]/#/- }"
    echo
  } > "$out/report.md" 2> "$work/report.log"
  mkdir "$work/results"
  for file in "$work"/*.log "$work"/*.jsonl "$work"/ncu.out "$out"/*.{md,jsonl,csv,log,txt}; do
    [ ! -f "$file" ] || tail -c 5M "$file" > "$work/results/${file##*/}"
  done
  tar -czf "$out/results.tgz" -C "$work/results" .
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
  export XDG_CACHE_HOME=$work/cache TORCHINDUCTOR_CACHE_DIR=$work/inductor  # nothing is known from before
  find_tools
  libraries=$(find_libraries)
  library_path=${libraries:+$libraries${LD_LIBRARY_PATH:+:}}${LD_LIBRARY_PATH:-}
  with_library=(LACLIP_GEMM=library LACLIP_LIBRARY_PATH="$libraries" LD_LIBRARY_PATH="$library_path")
  environment=$(within 20 nvidia-smi --query-gpu=name,uuid,clocks.sm,clocks.max.sm,clocks.mem,power.limit,driver_version --format=csv 2>&1)
  local row code=0 start
  start=$SECONDS
  row=$(ours 30 ./laclip bench device --device cuda 2> "$work/device.log") || code=$?
  note device "$code" $((SECONDS - start)) "$([ "$code" = 0 ] || tail -n 1 "$work/device.log")"
  field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<< "$row"; }
  device=$(field device) library=$(field library) bus=$(field pci_bus)
  [ -n "$library" ] || no_library=$(why_no_library)
  if [ -n "$device" ]; then
    # of the GPU that is used, not of its neighbours
    nvidia-smi dmon -s pucm -o T ${bus:+-i "$bus"} > "$out/dmon.txt" 2>&1 &
    dmon=$!
    start=$SECONDS
    correctness
    note "correctness together" 0 $((SECONDS - start))
    stage bench bench_all
    stage gemms bench_gemms
    stage ncu ncu_kernels
    stage peers peers
    kill "$dmon" 2> /dev/null
  else
    broken+=("this pack cannot run a kernel here, so no other stage was begun; it is: $(paste -sd';' BUILD)")
  fi
  note "all together" 0 "$SECONDS"
  report
  [ "$failures" = 0 ]
}

why_no_library() {
  local needed found
  needed=libcublasLt.so.$(sed -n 's/.*CUDA \([0-9]*\)\..*/\1/p' BUILD)
  found=$(IFS=:; for folder in $libraries; do ls -d "$folder"/libcublasLt.so.* 2> /dev/null; done | paste -sd' ')
  echo "found ${found:-none}; this pack needs $needed"
}
