mkdir -p tree/e1 tree/e2/e3
chmod 711 tree/e1
chmod 1733 tree/e2/e3
