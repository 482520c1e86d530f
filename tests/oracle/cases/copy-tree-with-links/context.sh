rm -rf dir/one-again.txt
mkdir links
ln -s ../file links/up
ln -s /etc/passwd links/abs
ln -s loop links/loop
ln -s . links/self
