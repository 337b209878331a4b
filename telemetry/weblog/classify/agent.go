package classify

import (
	"strings"

	"github.com/mileusna/useragent"
)

// agent is what a client says that it is. Browser and system are empty for bots,
// which say what they like.
type agent struct{ browser, system, bot string }

// longestAgent is from where on an agent is not remembered, and what is behind it
// not looked at.
const longestAgent = 1 << 10

func (c *Classifier) agent(text string) *agent {
	if text == "" {
		return &agent{}
	}
	text = text[:min(len(text), longestAgent)]
	if a := c.agents.get(text); a != nil {
		return a
	}
	a := readAgent(strings.Clone(text)) // names are views of it
	c.agents.put(text, &a)
	return &a
}

func readAgent(text string) agent {
	lower := strings.ToLower(text)
	if bot := botName(text, lower); bot != "" {
		return agent{bot: bot}
	}
	u := useragent.Parse(text)
	a := agent{browser: browserName(u.Name, lower), system: systemName(u.OS, lower)}
	if a.browser == "" {
		a.bot = unknownTool(text, lower)
	}
	return a
}

// family is a name, and a text in agents of the family, in lower case.
type family struct{ in, name string }

func find(families []family, lower string) string {
	for i := range families {
		if strings.Contains(lower, families[i].in) {
			return families[i].name
		}
	}
	return ""
}

// browserNames are the families of the names that the library gives.
var browserNames = map[string]string{
	useragent.Chrome: "Chrome", useragent.HeadlessChrome: "Chrome", useragent.Firefox: "Firefox", useragent.Safari: "Safari",
	useragent.Edge: "Edge", useragent.InternetExplorer: "MSIE", "Trident": "MSIE", "IEMobile": "MSIE",
	useragent.Opera: "Opera", useragent.OperaMini: "Opera", useragent.OperaTouch: "Opera", useragent.Vivaldi: "Vivaldi",
	useragent.SamsungBrowser: "Samsung Internet", "Android browser": "Android Browser", "Huawei Browser": "Huawei Browser",
	"Miui Browser": "MIUI Browser", useragent.FacebookApp: "Facebook", useragent.InstagramApp: "Instagram", useragent.TiktokApp: "TikTok",
	useragent.BlackBerry: "BlackBerry", useragent.NetFront: "NetFront",
}

// browserFamilies are browsers that also name what they are like: they come before
// what the library says.
var browserFamilies = []family{
	{"yabrowser/", "Yandex Browser"},
	{"ucbrowser/", "UC Browser"},
	{"ubrowser/", "UC Browser"},
	{"qqbrowser/", "QQ Browser"},
	{"micromessenger/", "WeChat"},
	{"duckduckgo/", "DuckDuckGo"},
	{"ddg/", "DuckDuckGo"},
	{"brave/", "Brave"},
	{"whale/", "Whale"},
	{"silk/", "Silk"},
	{"coc_coc_browser/", "Coc Coc"},
	{"maxthon", "Maxthon"},
	{"sleipnir/", "Sleipnir"},
	{"puffin/", "Puffin"},
	{"electron/", "Electron"},
	{"iron/", "Iron"},
	{"iceweasel/", "Firefox"},
	{"fxios/", "Firefox"},
	{"focus/", "Firefox"},
	{"seamonkey/", "SeaMonkey"},
	{"palemoon/", "Pale Moon"},
	{"waterfox/", "Waterfox"},
	{"k-meleon/", "K-Meleon"},
	{"konqueror/", "Konqueror"},
	{"falkon/", "Falkon"},
	{"epiphany/", "GNOME Web"},
	{"midori/", "Midori"},
	{"lynx/", "Lynx"},
	{"elinks", "Links"},
	{"links (", "Links"},
	{"w3m/", "w3m"},
	{"netscape", "Netscape"},
	{"line/", "LINE"},
	{"gsa/", "Google App"},
	{"snapchat/", "Snapchat"},
	{"pinterest/", "Pinterest"},
}

// browserFallbacks are for agents that the library does not know.
var browserFallbacks = []family{
	{"trident/", "MSIE"},
	{"msie", "MSIE"},
	{"opera", "Opera"},
	{"opr/", "Opera"},
	{"edg", "Edge"},
	{"firefox", "Firefox"},
	{"chromium", "Chrome"},
	{"chrome", "Chrome"},
	{"crios/", "Chrome"},
	{"safari", "Safari"},
	{"applewebkit", "Safari"},
	{"gecko/", "Mozilla"},
}

func browserName(name, lower string) string {
	if family := find(browserFamilies, lower); family != "" {
		return family
	}
	if family, ok := browserNames[name]; ok {
		return family
	}
	return find(browserFallbacks, lower)
}

// systemNames are the names that the library gives, by which systems are not
// called.
var systemNames = map[string]string{
	useragent.Windows: "Windows", useragent.WindowsPhone: "Windows Phone", useragent.MacOS: "macOS", useragent.IOS: "iOS",
	useragent.Android: "Android", useragent.Linux: "Linux", useragent.FreeBSD: "FreeBSD", useragent.ChromeOS: "Chrome OS",
	useragent.BlackBerry: "BlackBerry", useragent.Harmony: "HarmonyOS",
}

var systemFamilies = []family{
	{"windows phone", "Windows Phone"},
	{"xbox", "Xbox"},
	{"playstation", "PlayStation"},
	{"nintendo", "Nintendo"},
	{"tizen", "Tizen"},
	{"web0s", "webOS"},
	{"webos", "webOS"},
	{"kaios", "KaiOS"},
	{"harmonyos", "HarmonyOS"},
}

var systemFallbacks = []family{
	{"windows", "Windows"},
	{"win98", "Windows"},
	{"win95", "Windows"},
	{"android", "Android"},
	{"iphone", "iOS"},
	{"ipad", "iOS"},
	{"ipod", "iOS"},
	{"cros ", "Chrome OS"},
	{"mac os", "macOS"},
	{"macintosh", "macOS"},
	{"darwin", "macOS"},
	{"openbsd", "OpenBSD"},
	{"netbsd", "NetBSD"},
	{"freebsd", "FreeBSD"},
	{"sunos", "Solaris"},
	{"blackberry", "BlackBerry"},
	{"bb10", "BlackBerry"},
	{"symbian", "Symbian"},
	{"linux", "Linux"},
	{"ubuntu", "Linux"},
	{"x11", "Unix"},
}

func systemName(name, lower string) string {
	if family := find(systemFamilies, lower); family != "" {
		return family
	}
	if name, ok := systemNames[name]; ok {
		return name
	}
	return find(systemFallbacks, lower)
}
