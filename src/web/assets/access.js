/* access.js -- the token of this tab, if the server wants one.
 *
 * A page is given it once, as #token=... (which no browser sends anywhere), as
 * ?token=..., or in the field of the start page. It is taken out of the address
 * at once, so that no bookmark, history or link has it, and kept for this tab
 * alone. */

const NAME = 'tidings.token';

function fromAddress() {
  const url = new URL(location.href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const found = fragment.get('token') ?? url.searchParams.get('token');

  if (found === null)
    return null;
  fragment.delete('token');
  url.searchParams.delete('token');
  url.hash = fragment.toString();
  history.replaceState(history.state, '', url);
  return found;
}

export function keep(token) {
  if (token)
    sessionStorage.setItem(NAME, token);
  else
    sessionStorage.removeItem(NAME);
}

/* '' if there is none. */
export function token() {
  return sessionStorage.getItem(NAME) ?? '';
}

/* The header of a request, to be spread into its others. */
export function bearer() {
  const mine = token();

  return mine ? { Authorization: `Bearer ${mine}` } : {};
}

const given = fromAddress();

if (given !== null)
  keep(given.trim());
