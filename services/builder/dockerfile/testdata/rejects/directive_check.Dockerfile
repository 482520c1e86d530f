# check=skp=x
FROM a
