mkdir caps
echo x > caps/x
python3 -c 'import os; os.setxattr("caps/x", "security.capability", bytes.fromhex("0100000202040000000000000000000000000000"))'
