mkdir clash
echo new > clash/filelink
