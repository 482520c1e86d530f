mkdir t
echo 1 > t/f
tar -C t --mtime=@1610000000 -cf twice.tar f
echo 22 > t/f
tar -C t --mtime=@1610000000 -rf twice.tar f
