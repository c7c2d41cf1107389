/* external_log_access.inl -- civetweb's access log: none.
 *
 * civetweb.c includes a file of this name when it is built to touch no files
 * (NO_FILESYSTEMS). At the end of a loan nothing has been answered yet, so a
 * line written here would tell nothing.
 */
static void log_access(const struct mg_connection *conn)
{
    (void)conn;
}
