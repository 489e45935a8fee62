# scripts/gpu quick --rehearse: stand-ins for the tools of a GPU, tiny sizes, few tests.
stubs=$(mktemp -d)
stub() { cat > "$stubs/$1"; chmod +x "$stubs/$1"; }
stub nvidia-smi <<'STUB'
#!/bin/sh
case $1 in
  dmon)
    echo "#Time gpu pwr sm mclk pclk"
    while :; do echo "00:00:00 0 1 1 1 1"; sleep 1; done
    ;;
  *) echo "name"; echo "a rehearsal without a GPU; its times say nothing" ;;
esac
STUB
# Both run the program that they are given; ncu reports a kernel of the name that is asked for.
stub compute-sanitizer <<'STUB'
#!/bin/sh
while [ "${1#./}" = "$1" ]; do shift; done
"$@" && echo "========= ERROR SUMMARY: 0 errors"
STUB
stub ncu <<'STUB'
#!/bin/sh
while [ "${1#./}" = "$1" ]; do
  case $1 in -k) kernel=${2#regex:} ;; --log-file) log=$2 ;; esac
  shift
done
printf '==PROF== rehearsal\n"ID","Kernel Name","Section Name","Metric Name","Metric Unit","Metric Value"\n' > "$log"
printf '"0","%s","GPU Speed Of Light Throughput","Duration","us","1"\n' "$kernel" >> "$log"
exec "$@"
STUB
export PATH=$stubs:$PATH
scale_of_limits=10
torch_probe='import torch'
bench_options=(--llama tests/golden/llama_tied/config.json --small)
op_options=(--small)
peer_options=(--small)
filter_all='Bf16.*:Reduce.*:Layernorm.V*:Linear.Forward:Graphs.*:LlamaGolden.*cuda*'
filter_library='Linear.Forward'
filter_memcheck='Layernorm.V*'
filter_racecheck='Reduce.*'
filter_initcheck='Reduce.*'
