mkdir data
: > data/empty
head -c 3000000 /dev/zero > data/zeros
seq 1 100000 > data/numbers
truncate -s 5M data/sparse
