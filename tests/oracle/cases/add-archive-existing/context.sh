mkdir -p t/tree t/new
echo over > t/tree/a
ln -s x t/setuid
echo n > t/new/n
chmod 711 t/tree
tar --sort=name --owner=3 --group=4 --mtime=@1610000000 -C t -cf over.tar tree setuid new
