/* external_mg_cry_internal_impl.inl -- where civetweb's complaints go.
 *
 * civetweb.c includes a file of this name when it is built to touch no files
 * (NO_FILESYSTEMS): to the log_message callback, or nowhere.
 */
static void mg_cry_internal_impl(const struct mg_connection *conn,
                                 const char *func, unsigned line,
                                 const char *fmt, va_list ap)
{
    char message[512];

    (void)func;
    (void)line;
    if (conn == NULL || conn->phys_ctx->callbacks.log_message == NULL)
        return;
    (void)vsnprintf(message, sizeof message, fmt, ap);
    (void)conn->phys_ctx->callbacks.log_message(conn, message);
}
