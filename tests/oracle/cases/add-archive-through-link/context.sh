mkdir -p t
ln -s /real t/l
tar -C t --mtime=@1610000000 -cf through.tar l
rm t/l
mkdir t/l
echo x > t/l/x
tar -C t --mtime=@1610000000 -rf through.tar l/x
