mkdir clash
echo x > clash/tree
