mkdir -p t/x
echo 1 > t/x/1
chmod 700 t
tar --owner=9 --group=9 --mtime=@1610000000 --no-recursion -C t -cf dots.tar ./ ./x ./x/1
