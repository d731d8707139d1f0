# Stands for postgres:…: a server of Debian's, which initialises an empty data folder with POSTGRES_PASSWORD.
FROM nightsort-stand-in-debian
RUN ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && chmod 3777 /var/run/postgresql \
    && install --directory --owner=postgres --group=postgres --mode=0700 /var/lib/postgresql/data
COPY postgres-entrypoint /usr/local/bin/
ENV PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/postgres-entrypoint"]
