package classify

import "strings"

// bots are crawlers, monitors, libraries and tools for attacks. The first whose
// text is in an agent counts, so more special ones come first.
var bots = []family{
	// Search engines.
	{"googlebot-image", "Googlebot-Image"},
	{"googlebot-video", "Googlebot-Video"},
	{"googlebot-news", "Googlebot-News"},
	{"storebot-google", "Storebot-Google"},
	{"google-inspectiontool", "Google-InspectionTool"},
	{"google-extended", "Google-Extended"},
	{"google-cloudvertexbot", "Google-CloudVertexBot"},
	{"google-read-aloud", "Google-Read-Aloud"},
	{"google-site-verification", "Google-Site-Verification"},
	{"google-safety", "Google-Safety"},
	{"googleother", "GoogleOther"},
	{"apis-google", "APIs-Google"},
	{"adsbot-google", "AdsBot-Google"},
	{"mediapartners-google", "Mediapartners-Google"},
	{"feedfetcher-google", "FeedFetcher-Google"},
	{"googleproducer", "GoogleProducer"},
	{"googlebot", "Googlebot"},
	{"adidxbot", "AdIdxBot"},
	{"bingpreview", "BingPreview"},
	{"bingbot", "bingbot"},
	{"msnbot", "msnbot"},
	{"duckduckbot", "DuckDuckBot"},
	{"duckassistbot", "DuckAssistBot"},
	{"yandeximages", "YandexImages"},
	{"yandexmetrika", "YandexMetrika"},
	{"yandexmobilebot", "YandexMobileBot"},
	{"yandexaccessibilitybot", "YandexAccessibilityBot"},
	{"yandexadnet", "YandexAdNet"},
	{"yandexrenderresourcesbot", "YandexRenderResourcesBot"},
	{"yandexbot", "YandexBot"},
	{"yadirectfetcher", "YaDirectFetcher"},
	{"baiduspider", "Baiduspider"},
	{"sogou", "Sogou"},
	{"360spider", "360Spider"},
	{"haosouspider", "HaosouSpider"},
	{"yisouspider", "YisouSpider"},
	{"yahoo! slurp", "Yahoo! Slurp"},
	{"slurp", "Yahoo! Slurp"},
	{"applebot", "Applebot"},
	{"seznambot", "SeznamBot"},
	{"qwantbot", "Qwantbot"},
	{"qwantify", "Qwantify"},
	{"naverbot", "Naverbot"},
	{"yeti/", "Yeti"},
	{"daum", "Daum"},
	{"coccocbot", "coccocbot"},
	{"mojeekbot", "MojeekBot"},
	{"exabot", "Exabot"},
	{"ia_archiver", "ia_archiver"},
	{"archive.org_bot", "archive.org_bot"},
	{"mail.ru_bot", "Mail.RU_Bot"},
	{"bravebot", "Bravebot"},
	{"petalbot", "PetalBot"},
	{"amazonbot", "Amazonbot"},
	{"bubing", "BUbiNG"},
	{"marginalia", "Marginalia"},
	{"ccbot", "CCBot"},
	// Collectors for language models, and those that fetch for their users.
	{"gptbot", "GPTBot"},
	{"chatgpt-user", "ChatGPT-User"},
	{"oai-searchbot", "OAI-SearchBot"},
	{"claudebot", "ClaudeBot"},
	{"claude-user", "Claude-User"},
	{"claude-searchbot", "Claude-SearchBot"},
	{"claude-web", "Claude-Web"},
	{"anthropic-ai", "anthropic-ai"},
	{"perplexitybot", "PerplexityBot"},
	{"perplexity-user", "Perplexity-User"},
	{"bytespider", "Bytespider"},
	{"tiktokspider", "TikTokSpider"},
	{"cohere-ai", "cohere-ai"},
	{"mistralai-user", "MistralAI-User"},
	{"youbot", "YouBot"},
	{"ai2bot", "AI2Bot"},
	{"diffbot", "Diffbot"},
	{"imagesiftbot", "ImagesiftBot"},
	{"omgili", "omgili"},
	{"timpibot", "Timpibot"},
	{"deepseekbot", "DeepSeekBot"},
	{"meta-externalagent", "Meta-ExternalAgent"},
	{"meta-externalfetcher", "Meta-ExternalFetcher"},
	// Marketing.
	{"ahrefssiteaudit", "AhrefsSiteAudit"},
	{"ahrefsbot", "AhrefsBot"},
	{"semrushbot", "SemrushBot"},
	{"siteauditbot", "SiteAuditBot"},
	{"mj12bot", "MJ12bot"},
	{"dotbot", "DotBot"},
	{"rogerbot", "rogerbot"},
	{"blexbot", "BLEXBot"},
	{"dataforseobot", "DataForSeoBot"},
	{"serpstatbot", "serpstatbot"},
	{"barkrowler", "Barkrowler"},
	{"screaming frog", "Screaming Frog"},
	{"sistrix", "SISTRIX"},
	{"seokicks", "SEOkicks"},
	{"seobilitybot", "SeobilityBot"},
	{"linkdexbot", "linkdexbot"},
	{"megaindex", "MegaIndex"},
	{"awariobot", "AwarioBot"},
	{"brandwatch", "Brandwatch"},
	{"zoominfobot", "ZoominfoBot"},
	{"turnitin", "Turnitin"},
	{"proximic", "proximic"},
	{"grapeshotcrawler", "GrapeshotCrawler"},
	{"ias_crawler", "ias_crawler"},
	{"admantx", "ADmantX"},
	{"iframely", "Iframely"},
	{"embedly", "Embedly"},
	// Previews of links.
	{"telegrambot", "TelegramBot"}, // like TwitterBot, it says
	{"facebookexternalhit", "facebookexternalhit"},
	{"twitterbot", "Twitterbot"},
	{"facebookcatalog", "facebookcatalog"},
	{"facebot", "Facebot"},
	{"linkedinbot", "LinkedInBot"},
	{"slackbot", "Slackbot"},
	{"slack-imgproxy", "Slack-ImgProxy"},
	{"discordbot", "Discordbot"},
	{"whatsapp/", "WhatsApp"},
	{"skypeuripreview", "SkypeUriPreview"},
	{"pinterestbot", "Pinterestbot"},
	{"redditbot", "redditbot"},
	{"mastodon/", "Mastodon"},
	{"pleroma", "Pleroma"},
	{"vkshare", "vkShare"},
	// Feeds.
	{"feedly", "Feedly"},
	{"feedburner", "FeedBurner"},
	{"feedbin", "Feedbin"},
	{"inoreader", "Inoreader"},
	{"newsblur", "NewsBlur"},
	{"tiny tiny rss", "Tiny Tiny RSS"},
	{"freshrss", "FreshRSS"},
	{"miniflux", "Miniflux"},
	{"netvibes", "Netvibes"},
	{"superfeedr", "Superfeedr"},
	{"universalfeedparser", "UniversalFeedParser"},
	{"simplepie", "SimplePie"},
	{"magpierss", "MagpieRSS"},
	{"bloglovin", "Bloglovin"},
	{"newsgator", "NewsGator"},
	{"liferea", "Liferea"},
	{"apple-pubsub", "Apple-PubSub"},
	// Monitors of the own side.
	{"uptimerobot", "UptimeRobot"},
	{"pingdom", "Pingdom"},
	{"statuscake", "StatusCake"},
	{"site24x7", "Site24x7"},
	{"better uptime", "Better Uptime"},
	{"betterstack", "Better Stack"},
	{"freshping", "FreshPing"},
	{"hetrixtools", "HetrixTools"},
	{"newrelicpinger", "NewRelicPinger"},
	{"datadog", "Datadog"},
	{"googlestackdrivermonitoring", "GoogleStackdriverMonitoring"},
	{"elb-healthchecker", "ELB-HealthChecker"},
	{"googlehc", "GoogleHC"},
	{"kube-probe", "kube-probe"},
	{"consul health check", "Consul Health Check"},
	{"blackbox exporter", "Blackbox Exporter"},
	{"prometheus/", "Prometheus"},
	{"grafana", "Grafana"},
	{"zabbix", "Zabbix"},
	{"nagios", "Nagios"},
	{"check_http", "check_http"},
	{"icinga", "Icinga"},
	{"haproxy", "HAProxy"},
	{"varnish", "Varnish"},
	{"monit/", "Monit"},
	{"chrome-lighthouse", "Lighthouse"},
	{"gtmetrix", "GTmetrix"},
	{"w3c_validator", "W3C_Validator"},
	{"w3c-checklink", "W3C-checklink"},
	{"jigsaw", "Jigsaw"},
	{"ssl labs", "SSL Labs"},
	{"cloudflare-", "Cloudflare"},
	{"cloudfront", "CloudFront"},
	// Scanners of the whole network, and tools for attacks.
	{"censysinspect", "CensysInspect"},
	{"expanse", "Expanse"},
	{"internet-measurement", "internet-measurement"},
	{"internetmeasurement", "InternetMeasurement"},
	{"shodan", "Shodan"},
	{"binaryedge", "BinaryEdge"},
	{"netcraft", "Netcraft"},
	{"leakix", "LeakIX"},
	{"l9explore", "l9explore"},
	{"l9tcpid", "l9tcpid"},
	{"project25499", "Project25499"},
	{"zgrab", "zgrab"},
	{"masscan", "masscan"},
	{"nmap", "Nmap"},
	{"netsystemsresearch", "NetSystemsResearch"},
	{"sqlmap", "sqlmap"},
	{"nikto", "Nikto"},
	{"nuclei", "Nuclei"},
	{"wpscan", "WPScan"},
	{"acunetix", "Acunetix"},
	{"nessus", "Nessus"},
	{"openvas", "OpenVAS"},
	{"qualys", "Qualys"},
	{"burpcollaborator", "Burp"},
	{"burp suite", "Burp"},
	{"owasp zap", "OWASP ZAP"},
	{"zaproxy", "OWASP ZAP"},
	{"netsparker", "Netsparker"},
	{"arachni", "Arachni"},
	{"w3af", "w3af"},
	{"wapiti", "Wapiti"},
	{"skipfish", "skipfish"},
	{"dirbuster", "DirBuster"},
	{"gobuster", "gobuster"},
	{"feroxbuster", "feroxbuster"},
	{"wfuzz", "wfuzz"},
	{"fuzz faster", "ffuf"},
	{"dirsearch", "dirsearch"},
	{"hydra", "Hydra"},
	{"havij", "Havij"},
	{"commix", "commix"},
	{"whatweb", "WhatWeb"},
	{"joomscan", "JoomScan"},
	{"fimap", "fimap"},
	{"jorgee", "Jorgee"},
	{"morfeus", "Morfeus"},
	{"zmeu", "ZmEu"},
	{"muieblackcat", "Muieblackcat"},
	{"httpx - ", "httpx (ProjectDiscovery)"},
	{"mirai", "Mirai"},
	{"hello, world", "Hello, World"},
	{"slowloris", "Slowloris"},
	{"goldeneye", "GoldenEye"},
	// Browsers that are driven by programs.
	{"headlesschrome", "HeadlessChrome"},
	{"phantomjs", "PhantomJS"},
	{"slimerjs", "SlimerJS"},
	{"selenium", "Selenium"},
	{"puppeteer", "Puppeteer"},
	{"playwright", "Playwright"},
	{"cypress/", "Cypress"},
	{"splash", "Splash"},
	{"prerender", "Prerender"},
	// Libraries and tools.
	{"curl/", "curl"},
	{"libcurl", "libcurl"},
	{"pycurl", "PycURL"},
	{"guzzlehttp", "GuzzleHttp"},
	{"wget", "Wget"},
	{"aria2", "aria2"},
	{"axel", "Axel"},
	{"httrack", "HTTrack"},
	{"python-requests", "python-requests"},
	{"python-httpx", "python-httpx"},
	{"python-urllib", "Python-urllib"},
	{"aiohttp", "aiohttp"},
	{"scrapy", "Scrapy"},
	{"colly", "colly"},
	{"python/", "Python"},
	{"go-http-client", "Go-http-client"},
	{"go 1.1 package http", "Go-http-client"},
	{"fasthttp", "fasthttp"},
	{"java/", "Java"},
	{"apache-httpclient", "Apache-HttpClient"},
	{"jakarta commons", "Apache-HttpClient"},
	{"httpunit", "HttpUnit"},
	{"jsoup", "jsoup"},
	{"okhttp", "okhttp"},
	{"axios", "axios"},
	{"node-fetch", "node-fetch"},
	{"undici", "undici"},
	{"got (", "got"},
	{"node-superagent", "superagent"},
	{"nodejs", "Node.js"},
	{"ruby", "Ruby"},
	{"faraday", "Faraday"},
	{"mechanize", "Mechanize"},
	{"libwww-perl", "libwww-perl"},
	{"lwp::", "libwww-perl"},
	{"lwp-trivial", "libwww-perl"},
	{"php/", "PHP"},
	{"wordpress/", "WordPress"},
	{"drupal", "Drupal"},
	{"reqwest", "reqwest"},
	{"hyper/", "hyper"},
	{"restsharp", "RestSharp"},
	{"powershell", "PowerShell"},
	{"winhttp", "WinHTTP"},
	{"microsoft-cryptoapi", "Microsoft-CryptoAPI"},
	{"postmanruntime", "Postman"},
	{"insomnia", "Insomnia"},
	{"httpie", "HTTPie"},
	{"apachebench", "ApacheBench"},
	{"wrk/", "wrk"},
	{"hey/", "hey"},
	{"vegeta", "Vegeta"},
	{"k6/", "k6"},
	{"siege/", "Siege"},
	{"jmeter", "JMeter"},
	{"gatling", "Gatling"},
	{"locust", "Locust"},
	{"xenu link", "Xenu Link Sleuth"},
	{"linkchecker", "LinkChecker"},
	{"nutch", "Nutch"},
	{"heritrix", "Heritrix"},
	{"offline explorer", "Offline Explorer"},
	{"webzip", "WebZIP"},
	{"teleport", "Teleport"},
	{"git/", "Git"},
	{"docker/", "Docker"},
	{"containerd/", "containerd"},
	{"debian apt", "APT"},
	{"apt-http", "APT"},
	{"libdnf", "DNF"},
	{"urlgrabber", "YUM"},
	{"pip/", "pip"},
	{"npm/", "npm"},
	{"terraform", "Terraform"},
	{"let's encrypt", "Let's Encrypt"},
	{"certbot", "Certbot"},
}

// botName returns the name of a crawler or tool, empty for what seems to be used
// by people.
func botName(text, lower string) string {
	for i := range bots {
		if hasWord(lower, bots[i].in) {
			return bots[i].name
		}
	}
	return unknownBot(text, lower)
}

// hasWord reports whether a word of the text begins with the given one. What an
// agent says that it is like does not count.
func hasWord(lower, word string) bool {
	for from := 0; ; {
		at := strings.Index(lower[from:], word)
		if at < 0 {
			return false
		}
		at += from
		if (at == 0 || !isWordByte(lower[at-1])) && !strings.HasSuffix(lower[:at], "like ") {
			return true
		}
		from = at + 1
	}
}

// botWords are in the names of bots that nobody listed, which call themselves so.
var botWords = []string{"bot", "crawl", "spider", "scan", "scrape", "fetch", "feed", "rss", "monitor", "archiver", "validator"}

// otherBot is the name of bots that have none, or one that is too long.
const (
	otherBot    = "Other bot"
	longestName = 32
)

// unknownBot finds the name in an agent of a bot that is in no list: the word with
// which it says so, in as far as that is made of letters.
func unknownBot(text, lower string) string {
	for _, word := range botWords {
		from := 0
		for {
			at := strings.Index(lower[from:], word)
			if at < 0 {
				break
			}
			at += from
			from = at + len(word)
			if len(lower) != len(text) {
				return otherBot // the case of a letter changed its length
			}
			start, end := at, from
			for start > 0 && isNameByte(text[start-1]) {
				start--
			}
			for end < len(text) && isNameByte(text[end]) {
				end++
			}
			name := strings.Trim(text[start:end], "-_")
			if isNoBot(strings.ToLower(name)) {
				continue
			}
			if len(name) > longestName {
				return otherBot
			}
			return name
		}
	}
	// Browsers have no addresses in their agents; crawlers say where to complain.
	if strings.Contains(lower, "+http") || strings.Contains(lower, "http://") || strings.Contains(lower, "https://") {
		return productName(text)
	}
	return ""
}

// unknownTool finds the name of what is no browser and calls itself compatible with
// one, or says whom to write to.
func unknownTool(text, lower string) string {
	const mark = "(compatible;"
	if at := strings.Index(lower, mark); at >= 0 && len(lower) == len(text) {
		return productName(strings.TrimLeft(text[at+len(mark):], " "))
	}
	if strings.IndexByte(lower, '@') >= 0 {
		return productName(text)
	}
	return ""
}

// isNoBot reports whether a name only looks like that of a bot: a maker of phones,
// and parts of addresses.
func isNoBot(name string) bool {
	return strings.Contains(name, "cubot") || strings.HasPrefix(name, "botany")
}

// productName returns the name of an agent's first product.
func productName(text string) string {
	end := 0
	for end < len(text) && isNameByte(text[end]) {
		end++
	}
	name := text[:end]
	if name == "" || end > longestName || strings.EqualFold(name, "Mozilla") || strings.EqualFold(name, "http") || strings.EqualFold(name, "https") {
		return otherBot
	}
	return name
}

func isNameByte(c byte) bool { return isLetter(c) || c == '-' || c == '_' }
