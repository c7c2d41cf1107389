/* book.js -- a page of prices that needs what the book's pages need.
 *
 * Written to the contract of its clients, not from their source. The behaviour
 * of each of them is a row of `pages`; book.html?page=NAME chooses it. Times are
 * the book's divided by `faster`, so that a test need not wait for minutes; the
 * seconds of a shutdown are the server's.
 *
 * seen: every row's id in the order in which it came. log: every request.
 */
var query = {};
location.search.slice(1).split('&').forEach(function (pair) {
  query[pair.split('=')[0]] = decodeURIComponent(pair.split('=')[1] || '');
});

/*            asks for          transport  watchdog  resumes  on shutdown */
var pages = {
  hardcoded:  ['hardcoded',     'sse',     false,    false,   null],
  structured: ['structured',    'sse',     false,    false,   null],
  keepalive:  ['keepalive',     'sse',     true,     false,   null],
  retry:      ['retry',         'sse',     true,     false,   null],
  shutdown:   ['shutdown',      'sse',     true,     false,   'exactly'],
  jitter:     ['shutdown',      'sse',     true,     false,   'jitter'],
  id:         ['id',            'sse',     true,     true,    'jitter'],
  die_slowly: ['die_slowly',    'sse',     true,     true,    'jitter'],
  go_quiet:   ['go_quiet',      'sse',     false,    true,    'jitter'],
  longpoll:   ['longpoll',      'longpoll', false,   true,    'jitter'],
  xhr:        ['xhr',           'xhr',     true,     true,    'jitter'],
  iframe:     ['xhr',           'iframe',  true,     true,    'jitter'],
  cors:       ['cors',          'sse',     true,     true,    'jitter'],
  cors_xhr:   ['cors',          'xhr',     true,     true,    'jitter']
};

var faster = Number(query.faster || 1);
var KEEPALIVE_MS = 20000 / faster;
var POLL_MS = 50;
var PAUSE_MS = 30000 / faster;
var POLL_MAX_MS = 300000 / faster;
var STREAM_MAX = 65536;

var page = pages[query.page];
var server = 'fx_server.' + page[0] + '.php?';
var seen = [], log = [], requestedAt = [], badLines = [], keepalives = 0, shutdowns = [];
var lastId = null, timer = null, stop = function () {};

if (query.page.indexOf('cors') === 0) {
  /* The other scheme on the same host and port, as the book computes it. */
  server = location.href.replace(/[^/]*$/, '').replace(
    /^https?:/, location.protocol === 'http:' ? 'https:' : 'http:') + server;
}

function show() {
  document.getElementById('seen').textContent = seen.join(' ');
  document.getElementById('log').textContent = log.join('\n');
}

/* ---- what comes -------------------------------------------------------- */

function processRow(symbol, row) {
  if (row.id !== undefined) {
    lastId = row.id;
    seen.push(row.id);
  }
  document.getElementById(symbol).textContent = row.bid + ' / ' + row.ask;
  document.getElementById('history_' + symbol).textContent = row.timestamp;
}

function processShutdown(d) {
  var seconds = d.until_secs;

  if (page[4] === null) {
    return;
  }
  if (page[4] === 'jitter') {
    seconds -= Math.random() * 60;
    if (seconds < 0) {
      return; /* ignored: the native reconnect follows */
    }
  }
  shutdowns.push({untilSecs: d.until_secs, until: d.until, at: Date.now()});
  document.getElementById('msg').textContent = 'Back at ' + d.until;
  stop();
  clearTimeout(timer);
  timer = setTimeout(connect, seconds * 1000);
}

function processOneLine(line) {
  var d;

  gotActivity();
  try {
    d = JSON.parse(line);
  } catch (e) {
    badLines.push(line);
    return;
  }
  if (d.seed !== undefined) {
    document.getElementById('msg').textContent = 'seed ' + d.seed;
  } else if (d.symbol !== undefined) {
    (d.rows || [d]).forEach(function (row) {
      processRow(d.symbol, row);
    });
  } else if (d.action === 'keep-alive') {
    keepalives += 1;
  } else if (d.action === 'scheduled_shutdown') {
    processShutdown(d);
  } else if (d.action === 'auth') {
    document.getElementById('msg').textContent = d.msg;
    stop();
  }
  show();
}

function processLines(text) {
  text.split('\n').forEach(function (line) {
    if (line !== '') {
      processOneLine(line);
    }
  });
}

/* ---- the watchdog ------------------------------------------------------ */

function gotActivity() {
  if (!page[2]) {
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(connect, KEEPALIVE_MS);
}

/* ---- the transports ---------------------------------------------------- */

function note() {
  log.push(query.page + ' ' + (lastId === null ? 'none' : lastId));
  requestedAt.push(Date.now());
}

function address(parameters) {
  var resume = page[3] && lastId !== null
    ? 'lastId=' + encodeURIComponent(lastId) + '&' : '';

  note();
  return server + resume + parameters;
}

function startEventSource() {
  var es = new EventSource(address(''),
    {withCredentials: query.page === 'cors'});

  stop = function () { es.close(); };
  es.addEventListener('message', function (e) { processOneLine(e.data); }, false);
}

function request(parameters) {
  var xhr = new XMLHttpRequest();

  note();
  xhr.open('GET', server + parameters + '&t=' + Date.now(), true);
  if (lastId !== null) {
    xhr.setRequestHeader('Last-Event-ID', lastId);
  }
  stop = function () { xhr.onreadystatechange = null; xhr.abort(); };
  return xhr;
}

/* Whole lines only; what follows the last line break comes again. */
function startXhr() {
  var xhr = request('xhr=1'), taken = 0;

  xhr.onreadystatechange = function () {
    var end;

    if (xhr.readyState < 3) {
      return;
    }
    end = xhr.responseText.lastIndexOf('\n') + 1;
    if (end > taken) {
      processLines(xhr.responseText.slice(taken, end));
      taken = end;
    }
    if (taken > STREAM_MAX) {
      stop();
      clearTimeout(timer);
      timer = setTimeout(connect, 1);
    }
  };
  xhr.send(null);
}

/* Acts when an answer is complete, and only on 200. */
function startLongPoll() {
  var xhr = request('longpoll=1');

  xhr.timeout = POLL_MAX_MS;
  xhr.onreadystatechange = function () {
    var announced = shutdowns.length;

    if (xhr.readyState !== 4) {
      return;
    }
    if (xhr.status !== 200) {
      timer = setTimeout(connect, PAUSE_MS);
      return;
    }
    processLines(xhr.responseText);
    if (shutdowns.length === announced) {
      timer = setTimeout(connect, POLL_MS);
    }
  };
  xhr.send(null);
}

/* A hidden page of text that grows, looked at twice a second. */
function startIframe() {
  var frame = document.createElement('iframe'), taken = 0, look;

  frame.style.display = 'none';
  frame.src = address('xhr=1&t=' + Date.now());
  document.body.appendChild(frame);
  look = setInterval(function () {
    var text, end;

    if (!frame.contentWindow || !frame.contentWindow.document.body) {
      return;
    }
    text = frame.contentWindow.document.body.textContent;
    end = text.lastIndexOf('\n') + 1;
    if (end > taken) {
      processLines(text.slice(taken, end));
      taken = end;
    }
    if (taken > STREAM_MAX) {
      stop();
      clearTimeout(timer);
      timer = setTimeout(connect, 1);
    }
  }, 500 / faster);
  stop = function () {
    clearInterval(look);
    frame.remove();
  };
}

function connect() {
  stop();
  gotActivity();
  ({sse: startEventSource, xhr: startXhr, longpoll: startLongPoll,
    iframe: startIframe})[page[1]]();
  show();
}

setTimeout(connect, 50);
