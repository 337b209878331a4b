package changes

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/goshawk-observability/goshawk/telemetry/otlp/logwriter"
)

// kubernetesObject has the fields of a Deployment (or StatefulSet, DaemonSet), of an
// Event, of a list, and of what watchers put around an object.
type kubernetesObject struct {
	Kind        string
	ClusterName string
	Object      *kubernetesObject
	Items       []kubernetesObject
	Metadata    struct {
		Name, Namespace, UID string
		Generation           int64
		CreationTimestamp    lenientTime
		Labels, Annotations  map[string]string
	}
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct{ Name, Image string }
			}
		}
	}
	Status struct {
		ObservedGeneration int64
		Replicas           int64
		UpdatedReplicas    int64
		AvailableReplicas  int64
		Conditions         []struct {
			Type, Status, Reason, Message string
			LastUpdateTime                lenientTime
		}
	}
	// Of an Event.
	InvolvedObject struct {
		Kind, Name, Namespace string
		Labels                map[string]string
	}
	Reason, Message               string
	Count                         int64
	FirstTimestamp, LastTimestamp lenientTime
	EventTime                     lenientTime
	Source                        struct{ Component, Host string }
	ReportingComponent            string
}

// readKubernetes reads objects. Of those that change nothing nothing is made.
func readKubernetes(r *report) ([]change, error) {
	var list []kubernetesObject
	var err error
	if body := strings.TrimSpace(string(r.body)); strings.HasPrefix(body, "[") {
		err = json.Unmarshal(r.body, &list)
	} else {
		list = make([]kubernetesObject, 1)
		err = json.Unmarshal(r.body, &list[0])
	}
	if err != nil {
		return nil, badJSON(err)
	}
	var all []change
	for i := range list {
		o := &list[i]
		if o.Object != nil {
			o = o.Object
		}
		objects := o.Items
		if objects == nil {
			objects = []kubernetesObject{*o}
		}
		for j := range objects {
			c, ok, err := objects[j].change()
			if err != nil {
				return nil, err
			}
			if ok {
				all = append(all, c)
			}
		}
	}
	return all, nil
}

// change makes a change of an object.
func (o *kubernetesObject) change() (c change, ok bool, err error) {
	switch {
	case o.Kind == "Deployment" || o.Kind == "StatefulSet" || o.Kind == "DaemonSet":
		return o.rollout(), true, nil
	case o.Reason != "" && o.InvolvedObject.Kind != "":
		c, ok = o.event()
		return c, ok, nil
	case o.Kind == "" && o.Metadata.Name == "":
		return c, false, errors.New("there is neither kind nor metadata.name: want an Event or a Deployment")
	}
	return c, false, nil
}

// rollout makes a change of what is rolled out.
func (o *kubernetesObject) rollout() change {
	m := &o.Metadata
	c := change{
		Kind: "deployment", Status: started, Service: m.Name, Version: m.Labels["app.kubernetes.io/version"], Title: firstLine(m.Annotations["kubernetes.io/change-cause"]),
		ID: strings.Join([]string{"kubernetes", m.Namespace, strings.ToLower(o.Kind), m.Name, strconv.FormatInt(m.Generation, 10)}, "/"),
		resource: []logwriter.Attribute{
			attribute("k8s.cluster.name", o.ClusterName), attribute("k8s.namespace.name", m.Namespace), attribute("k8s."+strings.ToLower(o.Kind)+".name", m.Name),
		},
	}
	if name := m.Labels["app.kubernetes.io/name"]; name != "" {
		c.Service = name
	}
	if containers := o.Spec.Template.Spec.Containers; len(containers) > 0 {
		c.more = append(c.more, attribute("container.image.name", containers[0].Image))
		if c.Version == "" {
			c.Version = imageTag(containers[0].Image)
		}
	}
	s := &o.Status
	current := s.ObservedGeneration == m.Generation && m.Generation > 0
	for _, condition := range s.Conditions {
		switch {
		case condition.Type != "Progressing" || !current:
			continue
		case condition.Reason == "NewReplicaSetAvailable" && condition.Status == "True":
			c.Status = succeeded
		case condition.Status == "False" || condition.Reason == "ProgressDeadlineExceeded":
			c.Status = failed
		}
		c.Time = condition.LastUpdateTime.Time
	}
	if c.Time.IsZero() {
		c.Time = m.CreationTimestamp.Time
	}
	return c
}

// reasons say which Events are changes, and of which kind.
var reasons = map[string]struct{ kind, status string }{
	"ScalingReplicaSet": {"scaling", succeeded}, "SuccessfulRescale": {"scaling", succeeded}, "FailedRescale": {"scaling", failed},
	"Killing": {"restart", started}, "BackOff": {"restart", failed}, "Rebooted": {"restart", succeeded}, "SystemOOM": {"restart", failed},
	"DeploymentRollback": {"rollback", succeeded}, "ProgressDeadlineExceeded": {"deployment", failed},
	"NodeNotReady": {"node", failed}, "NodeReady": {"node", succeeded}, "Evicted": {"restart", started},
}

// event makes a change of an Event.
func (o *kubernetesObject) event() (change, bool) {
	reason, ok := reasons[o.Reason]
	if !ok {
		return change{}, false
	}
	in := &o.InvolvedObject
	c := change{
		Kind: reason.kind, Status: reason.status, Service: in.Name, Host: o.Source.Host, Author: o.ReportingComponent, Title: firstLine(o.Message),
		resource: []logwriter.Attribute{
			attribute("k8s.cluster.name", o.ClusterName), attribute("k8s.namespace.name", in.Namespace), attribute("k8s."+strings.ToLower(in.Kind)+".name", in.Name),
		},
		more: []logwriter.Attribute{attribute("k8s.event.reason", o.Reason), attribute("k8s.event.uid", o.Metadata.UID)},
	}
	if c.Author == "" {
		c.Author = o.Source.Component
	}
	switch name := in.Labels["app.kubernetes.io/name"]; {
	case name != "":
		c.Service = name
	case in.Kind == "Pod":
		c.Service = ownerOf(in.Name)
	case in.Kind == "Node":
		c.Service, c.Host = "", in.Name
	}
	if o.Metadata.UID != "" {
		c.ID = "kubernetes/event/" + o.Metadata.UID + "/" + strconv.FormatInt(o.Count, 10)
	}
	for _, at := range []lenientTime{o.LastTimestamp, o.EventTime, o.FirstTimestamp, o.Metadata.CreationTimestamp} {
		if !at.IsZero() {
			c.Time = at.Time
			break
		}
	}
	return c, true
}

// ownerOf returns what a pod of a deployment is called after: its name without the
// parts that are made up, such as cart-7d4b9c6f5-x2x9z.
func ownerOf(pod string) string {
	parts := strings.Split(pod, "-")
	if n := len(parts); n > 2 && len(parts[n-1]) == 5 && strings.ContainsAny(parts[n-2], "0123456789") {
		return strings.Join(parts[:n-2], "-")
	}
	return pod
}

// imageTag returns the tag of an image, empty where it has none.
func imageTag(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[i+1:]
	}
	return ""
}
