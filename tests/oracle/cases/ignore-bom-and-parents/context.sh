printf '\357\273\277file\n../file2\n./script.sh\ndir/../setuid\n!\\#x\n' > .dockerignore
