mkdir names
for n in 92 93 94 95 99 100 101 155 156 157 255; do echo $n > names/$(printf "%0${n}d" 1); done
