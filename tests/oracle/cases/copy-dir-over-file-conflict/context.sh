mkdir -p clash/setuid
