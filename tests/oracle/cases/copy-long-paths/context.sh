d=long
for i in 1 2 3 4 5; do d=$d/aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhh; done
mkdir -p $d
echo deep > $d/file
n=$(printf '%0200d' 7)
echo x > long/$n
ln -s $d/file long/link
