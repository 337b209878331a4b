package security

import "strings"

// probes are parts of paths that scanners ask for and pages do not link to, except
// where such a program is installed: then the answer is not an error.
var probes = func() map[string]bool {
	t := map[string]bool{}
	for _, p := range strings.Fields(`wp-login.php xmlrpc.php wp-admin wp-config.php wlwmanifest.xml wp-includes wp-content phpmyadmin pma myadmin mysqladmin adminer.php adminer
		phpinfo.php phpinfo info.php test.php shell.php cmd.php c99.php r57.php eval-stdin.php phpunit cgi-bin actuator solr boaform hnap1 gponform hudson jmx-console
		web-console invoker axis2 wls-wsat _ignition telescope server-status server-info web.config backup.sql dump.sql database.sql backup.zip backup.tar.gz www.zip id_rsa
		docker-compose.yml composer.json composer.lock package.json druid nacos geoserver struts fckeditor ckfinder kcfinder tmui dana-na fgt_lang sslvpn owa ecp autodiscover evox
		nmaplowercheck muieblackcat w00tw00t setup.cgi login.cgi luci goform formlogin currentsetting.htm jenkins manager joomla administrator drupal magento typo3
		configuration.php config.php config.json config.yml settings.py local.xml admin.php administrator.php login.asp admin.asp wp.php wso.php alfa.php upl.php console elmah.axd trace.axd crossdomain.xml debug.log error_log vendor portainer kibana grafana
		_cat _search hazelcast jolokia heapdump env.js swagger.json api-docs graphiql portal.php bitrix aab8 aab9 teorema505`) {
		t[p] = true
	}
	return t
}()

// probe reports whether a path is one that only scanners ask for. Failed says that
// it is not there, or not for everybody.
func probe(path string, failed bool) bool {
	if failed {
		for part := range strings.SplitSeq(path, "/") {
			if part != "" && len(part) <= 32 && (probes[part] || probes[strings.ToLower(part)]) {
				return true
			}
		}
	}
	// Whatever the answer is, nobody asks for files with a point by chance.
	for rest := path; ; {
		at := strings.Index(rest, "/.")
		if at < 0 {
			return false
		}
		rest = rest[at+2:]
		part, _, _ := strings.Cut(rest, "/")
		if part != "" && part[0] != '.' && part != "well-known" && (failed || hidden[part]) {
			return true
		}
	}
}

// hidden are files with a point that no site serves on purpose.
var hidden = map[string]bool{
	"env": true, "git": true, "svn": true, "hg": true, "aws": true, "ssh": true, "htpasswd": true, "htaccess": true, "DS_Store": true, "vscode": true, "idea": true,
	"npmrc": true, "dockerenv": true, "docker": true, "kube": true, "bash_history": true, "env.local": true, "env.production": true, "env.bak": true,
}

// agent is what is known of a user agent.
type agent struct {
	hash uint64
	// tool is the name of a program for attacks, search is set for search engines, checks
	// for programs that ask whether a server works.
	tool           string
	search, checks bool
	found          verdict
}

// tools are names of programs for attacks and for scans of the whole net, as their
// agents have them.
var tools = [...]string{
	"sqlmap", "nikto", "nuclei", "masscan", "zgrab", "nmap scripting", "wpscan", "dirbuster", "gobuster", "feroxbuster", "ffuf", "wfuzz", "fuzz faster", "acunetix", "nessus", "openvas", "arachni", "w3af",
	"havij", "jorgee", "zmeu", "whatweb", "dirsearch", "commix", "xsstrike", "zaproxy", "netsparker", "invicti", "qualys", "skipfish", "wapiti", "jaeles", "fimap", "morfeus", "l9explore", "l9tcpid",
	"censysinspect", "expanse", "internetmeasurement", "internet-measurement", "shodan", "projectdiscovery", "zmap", "libredtail", "vega/", "sqlninja", "pangolin", "bsqlbf", "absinthe", "grendel", "webshag", "paros", "webinspect",
	"appscan", "detectify", "interactsh", "gospider", "hakrawler", "cmsmap", "joomscan", "droopescan", "burpcollaborator", "burp suite", "hello, world",
}

// engines are search engines that readers come from.
var engines = [...]string{"googlebot", "bingbot", "duckduckbot", "yandexbot", "baiduspider", "applebot", "yahoo! slurp", "qwantbot", "seznambot", "petalbot", "sogou"}

// checkers ask whether a server works, often.
var checkers = [...]string{"kube-probe/", "elb-healthchecker", "googlehc", "prometheus/", "blackbox", "consul health check", "haproxy", "envoy/hc", "uptime-kuma", "nagios", "zabbix", "check_http", "traefik"}

// readAgent finds out what is known of an agent.
func readAgent(text string) (a agent) {
	low := strings.ToLower(text)
	for _, t := range tools {
		if strings.Contains(low, t) {
			a.tool = strings.TrimSuffix(t, "/")
			break
		}
	}
	for _, e := range engines {
		a.search = a.search || strings.Contains(low, e)
	}
	for _, c := range checkers {
		a.checks = a.checks || strings.Contains(low, c)
	}
	return a
}
