mkdir -p clash/linked clash/real
echo new > clash/linked/new
echo r > clash/real/r
