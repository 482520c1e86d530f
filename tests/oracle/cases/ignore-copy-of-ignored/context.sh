echo file > .dockerignore
