package kafka_test

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/goshawk-observability/goshawk/internal/config"
	"github.com/goshawk-observability/goshawk/internal/kafka"
	"github.com/goshawk-observability/goshawk/internal/kafka/kafkatest"
	"github.com/goshawk-observability/goshawk/internal/transport"
	"github.com/goshawk-observability/goshawk/internal/transport/transporttest"
)

// exchange produces, fetches and joins a group.
func exchange(t *testing.T, cfg kafka.Config) error {
	t.Helper()
	client, err := kafka.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	topic := kafkatest.Unique("secure")
	if _, err := client.EnsureTopics(ctx, []kafka.Topic{{Name: topic, Partitions: 1, Replication: 1}}); err != nil {
		return err
	}
	p := newProducer(t, client, nil)
	defer p.Close()
	if err := p.Produce(ctx, []kafka.Record{{Topic: topic, Value: []byte("x")}}); err != nil {
		return err
	}
	if n := len(read(t, client, topic, 0)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	dialer, hangup := client.Dialer()
	defer hangup()
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: kafkatest.Unique("group"), Brokers: cfg.Brokers, Topics: []string{topic}, Dialer: dialer,
	})
	if err != nil {
		return err
	}
	defer group.Close()
	_, err = group.Next(ctx)
	return err
}

func TestSASL(t *testing.T) {
	const user, password = "goshawk", "s3cret, with \"quotes\""
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := kafkatest.Embedded(t, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), user, password))
			file := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := cluster.Config()
			cfg.SASL = kafka.SASL{Mechanism: mechanism, Username: user, Password: config.Secret("file:" + file)}
			if err := exchange(t, cfg); err != nil {
				t.Fatal(err)
			}
			cfg.SASL.Password = "wrong"
			cfg.RequestTimeout = 2 * time.Second
			if err := exchange(t, cfg); err == nil {
				t.Error("a wrong password is accepted")
			}
		})
	}
}

func TestTLS(t *testing.T) {
	authority := transporttest.NewAuthority(t)
	caFile, certFile, keyFile := authority.Files(t, t.TempDir(), 1, "broker.test")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	cluster := kafkatest.Embedded(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(),
	}))
	good := cluster.Config()
	good.RequestTimeout = 2 * time.Second
	good.TLS = transport.ClientTLS{Enabled: true, CAFile: caFile, CertFile: certFile, KeyFile: keyFile}
	if err := exchange(t, good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*transport.ClientTLS){
		"no client certificate": func(c *transport.ClientTLS) { c.CertFile, c.KeyFile = "", "" },
		"unknown authority":     func(c *transport.ClientTLS) { c.CAFile = "" },
		"wrong name":            func(c *transport.ClientTLS) { c.ServerName = "other.test" },
		"plain text":            func(c *transport.ClientTLS) { c.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			change(&cfg.TLS)
			if err := exchange(t, cfg); err == nil {
				t.Error("the connection is accepted")
			}
		})
	}
	good.TLS.ServerName = "broker.test"
	if err := exchange(t, good); err != nil {
		t.Error(err)
	}
}
