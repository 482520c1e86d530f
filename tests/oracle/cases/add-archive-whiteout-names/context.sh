mkdir t
echo x > t/.wh.tree
tar -C t -cf wh.tar .wh.tree
