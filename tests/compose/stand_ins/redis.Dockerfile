# Stands for redis:…: a server of Debian's.
FROM nightsort-stand-in-debian
RUN install --directory --owner=redis --group=redis /data
VOLUME /data
WORKDIR /data
