package errors_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/goshawk-observability/goshawk/processors/errors"
	"github.com/goshawk-observability/goshawk/telemetry"
)

// process returns the failures of logs with the attributes.
func process(t testing.TB, cfg errors.Config, all ...map[string]string) []telemetry.Failure {
	t.Helper()
	p, err := errors.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &telemetry.Batch{Records: []telemetry.Record{{Tenant: "acme"}}, Resources: []telemetry.Resource{{Service: "cart"}}}
	for _, attributes := range all {
		l := telemetry.Log{Time: 1, Severity: 17}
		l.Attrs.Start = uint32(len(b.Attrs))
		for key, value := range attributes {
			b.Attrs = append(b.Attrs, telemetry.Attr{Key: key, Value: telemetry.StringValue(value)})
		}
		l.Attrs.End = uint32(len(b.Attrs))
		b.Logs = append(b.Logs, l)
	}
	if err := p.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b.Failures
}

// TestGroups shows stacks of every language: the same error with other lines,
// addresses and machines is in the same group, one of another function is not.
func TestGroups(t *testing.T) {
	for name, c := range map[string]struct {
		stack   string
		culprit string
		same    []string // of which every one is the same error
		other   string   // in stack, and what makes another error of it
		another string
	}{
		"Go": {
			stack: `goroutine 7 [running]:
runtime/debug.Stack()
	/usr/local/go/src/runtime/debug/stack.go:26 +0x5e
panic({0x6f2a40?, 0x7c1d10?})
	/usr/local/go/src/runtime/panic.go:783 +0x132
example.com/shop/cart.(*Cart).Pay.func1(0xc0000b2000, {0x1, 0x2})
	/home/ann/shop/cart/pay.go:31 +0x1d
example.com/shop/cart.(*Cart).Pay(0xc0000b2000)
	/home/ann/shop/cart/pay.go:20 +0x7a
net/http.HandlerFunc.ServeHTTP(0x0?, {0x7f, 0x80}, 0x3)
	/usr/local/go/src/net/http/server.go:2294 +0x29
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:3493 +0x485`,
			culprit: "cart.(*Cart).Pay.func1",
			same: []string{`goroutine 99 [running]:
panic({0x1?, 0x2?})
	/opt/go1.27/src/runtime/panic.go:700 +0x1
example.com/shop/cart.(*Cart).Pay.func2(0xc00aabbccd, {0x9, 0x9})
	/build/shop/cart/pay.go:41 +0xff
example.com/shop/cart.(*Cart).Pay(0xc00)
	/build/shop/cart/pay.go:22
net/http.HandlerFunc.ServeHTTP(0x0?, {0x7f, 0x80}, 0x3)
	/opt/go1.27/src/net/http/server.go:2000 +0x29`},
			other: "(*Cart).Pay(", another: "(*Cart).Refund(",
		},
		"Go as pkg/errors prints it": {
			stack:   "sold out\nexample.com/shop/stock.Take\n\t/src/stock/take.go:12\nmain.main\n\t/src/main.go:9\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:250\n",
			culprit: "stock.Take",
			same:    []string{"gone\nexample.com/shop/stock.Take\n\t/app/stock/take.go:99\nmain.main\n\t/app/main.go:1\n"},
			other:   "stock.Take", another: "stock.Put",
		},
		"Java": {
			stack: `java.lang.IllegalStateException: order 4711 is closed
	at java.base/java.util.Optional.orElseThrow(Optional.java:403)
	at com.shop.Cart.lambda$pay$0(Cart.java:52)
	at com.shop.Cart$$Lambda$14/0x0000000800066840.run(Unknown Source)
	at com.shop.Cart$$EnhancerBySpringCGLIB$$5ba7d1c2.pay(<generated>)
	at app//com.shop.Web.handle(Web.java:17) [web.jar:1.2]
	at org.springframework.web.Servlet.service(Servlet.java:897)
	... 12 more
Caused by: java.sql.SQLException: gone
	at com.shop.Store.find(Store.java:9)`,
			culprit: "com.shop.Cart.lambda$pay$0",
			same: []string{`java.lang.IllegalStateException: order 9 is closed
	at java.base@21/java.util.Optional.orElseThrow(Optional.java:377)
	at com.shop.Cart.lambda$pay$3(Cart.java:60)
	at com.shop.Cart$$Lambda/0x00007f3a1c0a8000.run(Unknown Source)
	at com.shop.Cart$$EnhancerBySpringCGLIB$$9.pay(<generated>)
	at com.shop.Web.handle(Web.java:18)
	at org.springframework.web.Filter.doFilter(Filter.java:1)
Caused by: java.sql.SQLException: away
	at com.shop.Store.find(Store.java:10)`},
			other: "Store.find", another: "Store.save",
		},
		"Python": {
			stack: `Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/flask/app.py", line 1498, in dispatch
    return self.view(**args)
           ^^^^^^^^^^^^^^^^^
  File "/srv/shop/web.py", line 12, in handle
    cart.pay(order)
  File "/srv/shop/cart.py", line 44, in pay
    raise ValueError(f"order {order} is closed")
ValueError: order 4711 is closed`,
			culprit: "pay",
			same: []string{`Traceback (most recent call last):
  File "/home/ann/venv/lib/python3.11/site-packages/django/core.py", line 1, in call
  File "/home/ann/shop/web.py", line 99, in handle
    pay(order)
  File "/home/ann/shop/cart.py", line 45, in pay
ValueError: order 9 is closed`},
			other: "in pay", another: "in refund",
		},
		"Node": {
			stack: `TypeError: Cannot read properties of undefined (reading 'price')
    at Cart.pay (/srv/shop/dist/cart.js:12:5)
    at async /srv/shop/dist/web.js:9:3
    at new Order (file:///srv/shop/dist/order.js:3:1)
    at Object.<anonymous> (/srv/shop/node_modules/express/lib/router.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)`,
			culprit: "Cart.pay",
			same: []string{`TypeError: another message
    at async Cart.pay [as run] (C:\shop\dist\cart.js:13:7)
    at C:\shop\dist\web.js:9:30
    at Order (C:\shop\dist\order.js:4:1)`},
			other: "Cart.pay", another: "Cart.refund",
		},
		"a browser's bundle": {
			stack:   "pay@https://shop.example/assets/cart-BkH3a9Zx.js?v=1:1:2345\nhandle/<@https://shop.example/assets/web.4f3a2b1c9d.js:1:99\n",
			culprit: "pay",
			same:    []string{"Error: x\n    at pay (https://cdn.example/a/cart-9ZxBkH3a.js:1:777)\n    at handle (https://cdn.example/a/web.aa00bb11cc.js:2:1)"},
			other:   "pay@", another: "refund@",
		},
		".NET": {
			stack: `System.InvalidOperationException: order 4711 is closed
   at System.Linq.Enumerable.First[T](IEnumerable` + "`" + `1 source)
   at Shop.Cart.<PayAsync>d__5.MoveNext() in /src/Shop/Cart.cs:line 31
--- End of stack trace from previous location ---
   at Shop.Web.Handle(String order) in C:\src\Shop\Web.cs:line 9`,
			culprit: "Shop.Cart.<PayAsync>d__5.MoveNext",
			same: []string{`System.InvalidOperationException: order 9 is closed
   at Shop.Cart.<PayAsync>d__7.MoveNext() in /home/ann/Cart.cs:line 33
   at Shop.Web.Handle(String order, Int32 n) in /home/ann/Web.cs:line 10`},
			other: "Web.Handle", another: "Web.Ask",
		},
		"Ruby": {
			stack: "/srv/shop/cart.rb:12:in `block (2 levels) in pay': order 4711 is closed (RuntimeError)\n" +
				"\tfrom /usr/lib/ruby/3.2.0/gems/rack-3.0/lib/rack.rb:20:in `call'\n\tfrom /srv/shop/web.rb:9:in `handle'\n",
			culprit: "pay",
			same:    []string{"/home/ann/shop/cart.rb:13:in 'pay': x (RuntimeError)\n\tfrom /home/ann/shop/web.rb:10:in 'rescue in handle'\n"},
			other:   "`handle'", another: "`ask'",
		},
		"PHP": {
			stack: `RuntimeException: order 4711 is closed in /srv/shop/Cart.php:12
Stack trace:
#0 /srv/shop/Cart.php(31): Shop\Cart->pay('4711')
#1 [internal function]: Shop\Cart->Shop\{closure}(Object(Shop\Order))
#2 /srv/shop/vendor/slim/App.php(9): call_user_func()
#3 /srv/shop/Web.php(20): Shop\{closure:/srv/shop/Web.php:19}()
#4 {main}`,
			culprit: `Shop\Cart->pay`,
			same: []string{`PHP Fatal error
#0 /home/ann/Cart.php(33): Shop\Cart->pay('9', Array)
#1 /home/ann/Web.php(22): Shop\{closure:/home/ann/Web.php:20}()
#2 {main}`},
			other: "Cart->pay", another: "Cart->refund",
		},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(c.stack, c.other, c.another, 1)
			if changed == c.stack {
				t.Fatalf("%q is not in the stack", c.other)
			}
			logs := []map[string]string{{"exception.type": "E", "exception.message": "m", "exception.stacktrace": c.stack}}
			for _, s := range append(c.same, changed) {
				logs = append(logs, map[string]string{"exception.type": "E", "exception.message": "another", "exception.stacktrace": s})
			}
			logs = append(logs, map[string]string{"exception.type": "F", "exception.stacktrace": c.stack})
			got := process(t, errors.DefaultConfig(), logs...)
			if got[0].Culprit != c.culprit || got[0].Stack != c.stack {
				t.Errorf("the culprit is %q, want %q", got[0].Culprit, c.culprit)
			}
			for i := range c.same {
				if got[1+i].Group != got[0].Group {
					t.Errorf("the same error is in another group, with the culprit %q:\n%s", got[1+i].Culprit, c.same[i])
				}
			}
			if got[1+len(c.same)].Group == got[0].Group {
				t.Error("an error of another function is in the same group")
			}
			if got[2+len(c.same)].Group == got[0].Group {
				t.Error("an error of another type is in the same group")
			}
		})
	}
}

// TestMessages groups errors without a stack.
func TestMessages(t *testing.T) {
	of := func(message string) uint64 {
		return process(t, errors.DefaultConfig(), map[string]string{"exception.type": "E", "exception.message": message})[0].Group
	}
	base := of("order 4711 of 10.0.0.7:8080 was refused (id 5f3a-77b0)")
	if got := of("order 9 of 192.168.1.1:90 was refused (id 00c1ffee)"); got != base {
		t.Error("other numbers make another error")
	}
	if got := of("order 4711 of 10.0.0.7:8080 was lost (id 5f3a-77b0)"); got == base {
		t.Error("another text is the same error")
	}
	if got := process(t, errors.DefaultConfig(), map[string]string{"exception.type": "E", "exception.stacktrace": "no frames at all"})[0]; got.Culprit != "" || got.Group == base {
		t.Errorf("%+v", got)
	}
}

// TestFingerprints lets clients choose.
func TestFingerprints(t *testing.T) {
	of := func(fingerprint, kind string) telemetry.Failure {
		return process(t, errors.DefaultConfig(), map[string]string{"exception.type": kind, "exception.message": "m", "sentry.fingerprint": fingerprint})[0]
	}
	if a, b := of(`["database","timeout"]`, "A"), of(`["database","timeout"]`, "B"); a.Group != b.Group || a.Fingerprint != "database, timeout" {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a, b := of("plain", "A"), of("plain", "B"); a.Group != b.Group || a.Fingerprint != "plain" {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a, b := of(`["{{ default }}","eu"]`, "A"), of(`["{{default}}","eu"]`, "B"); a.Group == b.Group {
		t.Error("the server's own part is left out")
	}
	if a, b := of(`["{{ default }}","eu"]`, "A"), of(`["{{default}}","eu"]`, "A"); a.Group != b.Group {
		t.Error("spaces matter")
	}
	if a, b := of(`["{{ default }}"]`, "A"), of("", "A"); a.Group != b.Group || a.Fingerprint != "" {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestLibraries(t *testing.T) {
	cfg := errors.DefaultConfig()
	cfg.Libraries = []string{"com.shop.base."}
	stack := "E\n\tat com.shop.base.Retry.run(Retry.java:1)\n\tat com.shop.Cart.pay(Cart.java:2)\n"
	for _, c := range []struct {
		cfg     errors.Config
		culprit string
	}{{errors.DefaultConfig(), "com.shop.base.Retry.run"}, {cfg, "com.shop.Cart.pay"}} {
		got := process(t, c.cfg, map[string]string{"exception.stacktrace": stack})
		if len(got) != 1 || got[0].Culprit != c.culprit {
			t.Errorf("%+v, want the culprit %s", got, c.culprit)
		}
	}
}

// TestRecursion groups a recursion however deep it was.
func TestRecursion(t *testing.T) {
	of := func(depth int) uint64 {
		stack := "E\n" + strings.Repeat("\tat com.shop.Tree.walk(Tree.java:7)\n", depth) + "\tat com.shop.Web.handle(Web.java:1)\n"
		return process(t, errors.DefaultConfig(), map[string]string{"exception.type": "E", "exception.stacktrace": stack})[0].Group
	}
	if of(3) != of(5) {
		t.Error("the depth of a recursion makes another error")
	}
}

func TestUsers(t *testing.T) {
	hash := telemetry.HashUser("Ann@Example.com ")
	for want, attributes := range map[string]map[string]string{
		"7":    {"user.id": "7", "enduser.id": "8", "user.email": "a@b.c", "user.hash": "x"},
		"8":    {"enduser.id": "8", "user.hash": "x", "user.name": "ann"},
		"x":    {"user.hash": "x", "user.name": "ann", "user.email": "a@b.c"},
		"ann":  {"user.name": "ann"},
		hash:   {"user.email": "ann@example.com"},
		"":     {},
		"eins": {"enduser.pseudo.id": "eins"},
	} {
		attributes["exception.type"] = "E"
		if got := process(t, errors.DefaultConfig(), attributes)[0].User; got != want {
			t.Errorf("%v: %q, want %q", attributes, got, want)
		}
	}
	if len(hash) != 16 {
		t.Errorf("the hash is %q", hash)
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*errors.Config){
		"max_stack":       func(c *errors.Config) { c.MaxStack = -1 },
		"max_frames":      func(c *errors.Config) { c.MaxFrames = 0 },
		"empty text":      func(c *errors.Config) { c.Libraries = []string{""} },
		"300 are more":    func(c *errors.Config) { c.Libraries = make([]string, 300) },
		"between 1 and 1": func(c *errors.Config) { c.MaxFrames = 1e6 },
	} {
		cfg := errors.DefaultConfig()
		change(&cfg)
		if _, err := errors.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	cfg := errors.DefaultConfig()
	cfg.MaxStack = 4
	if got := process(t, cfg, map[string]string{"exception.type": "E", "exception.stacktrace": "aaa€"})[0].Stack; got != "aaa" {
		t.Error(cmp.Diff("aaa", got))
	}
}

// FuzzStack reads anything: it does not matter for the group how its lines end.
func FuzzStack(f *testing.F) {
	for _, s := range []string{
		"main.f(0x1)\n\t/a/b.go:1 +0x1", "\tat a.B.c(D.java:1)", "    at f (/a.js:1:2)", "  File \"a.py\", line 1, in f", "a.rb:1:in `b'", "#0 /a.php(1): f()",
		"   at A.B(C d) in /e.cs:line 1", "f@http://x/y.js:1:2", "#", "at (", "at )(", "  File \"", "\t:1", "@:1", "#1 : ", ":in ", "at $$/(", "at f[", "at a..func1.2 (b-12345678a.js:1:1)",
	} {
		f.Add(s, "kind 1")
	}
	f.Fuzz(func(t *testing.T, stack, message string) {
		unix := strings.ReplaceAll(stack, "\r", "")
		log := func(stack string) map[string]string {
			return map[string]string{"exception.type": "E", "exception.message": message, "exception.stacktrace": stack}
		}
		got := process(t, errors.DefaultConfig(), log(unix), log(strings.ReplaceAll(unix, "\n", "\r\n")))
		if len(got) != 2 || got[0].Group != got[1].Group || got[0].Culprit != got[1].Culprit {
			t.Errorf("%+v", got)
		}
	})
}
