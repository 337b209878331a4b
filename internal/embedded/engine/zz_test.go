package engine_test
import ("testing";"time";"fmt";"context";"os";"sync";"sync/atomic";"math/rand/v2";"path/filepath";"strings";"os/exec"
"github.com/goshawk-observability/goshawk/internal/embedded/engine/enginetest")
func TestZZ(t *testing.T){
 os.RemoveAll("/tmp/gk3/ee"); e,err:=enginetest.New("/tmp/gk3/ee"); if err!=nil {t.Fatal(err)}; defer func(){e.Kill9()}()
 conn:=open(t,e,e.User,e.Password)
 view:=os.Getenv("VIEW")!=""
 execute(t,conn,"CREATE TABLE t (w UInt8, n UInt64, i UInt64) ENGINE = MergeTree ORDER BY (w, n) SETTINGS non_replicated_deduplication_window = 10000")
 if view { execute(t,conn,"CREATE TABLE sums (w UInt8, n UInt64, c UInt64) ENGINE = MergeTree ORDER BY w SETTINGS non_replicated_deduplication_window = 10000")
 execute(t,conn,"CREATE MATERIALIZED VIEW view TO sums AS SELECT w, n, count() AS c FROM t GROUP BY w, n") }
 ctx,stop:=context.WithCancel(context.Background()); var wg sync.WaitGroup; var total atomic.Int64; var nb [4]atomic.Int64
 for w:=range 4 { wg.Add(1); go func(){ defer wg.Done(); for n:=int64(0); ctx.Err()==nil; n++ { ins:=fmt.Sprintf("INSERT INTO t SELECT %d, %d, number FROM numbers(5) SETTINGS insert_deduplication_token = 'w%d-%d', deduplicate_blocks_in_dependent_materialized_views = 1",w,n,w,n); for conn.Exec(context.Background(),ins)!=nil { time.Sleep(5*time.Millisecond)}; nb[w].Add(1); total.Add(1)} }() }
 kills:=0
 for kills<60 { kills++; en:=total.Load()+20; for total.Load()<en {time.Sleep(5*time.Millisecond)}; time.Sleep(time.Duration(rand.IntN(30))*time.Millisecond); e.Kill9(); e.Restart(t) }
 stop(); wg.Wait()
 bad:=false
 for w:=range 4 { for _,tb:=range []string{"t","sums"} { if tb=="sums"&&!view {continue}; got:=count(t,conn,fmt.Sprintf("SELECT uniqExact(n) FROM %s WHERE w=%d",tb,w)); cnt:=count(t,conn,fmt.Sprintf("SELECT count() FROM %s WHERE w=%d",tb,w)); fmt.Println(w,tb,"uniq",got,"rows",cnt,"acked",nb[w].Load()); if int64(got)!=nb[w].Load() { bad=true
   rows,_:=conn.Query(context.Background(), fmt.Sprintf("SELECT number FROM numbers(%d) WHERE number NOT IN (SELECT n FROM %s WHERE w=%d)",nb[w].Load(),tb,w)); for rows.Next(){ var n uint64; rows.Scan(&n); fmt.Println("missing",tb,w,n)} } } }
 if bad { e.Stop(); out,_:=exec.Command("bash","-c","cd /tmp/gk3/ee/store; find . -name 'deduplication_log*' | head; ls store/*/*/ | head -40").CombinedOutput(); fmt.Println(string(out)); _ = filepath.Join; _ = strings.Join }
}
